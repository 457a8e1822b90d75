"""The rest of a session: what was heard and has no answer, captioned after all.

::

    journal ─▶ sound from the first sample that nothing has decided on ─▶ stream ─▶ gap, 0, 1, 2 …
                                                                                   │ told()
    events of before ────────────────────────────────────────────────▶ outputs ◀───┴─▶ journal: n, n+1 …

A stream that is fed from sample n on takes all before it for missing sound. So its clock goes on by
itself, no utterance of it reaches back behind n, and its first event is a gap up to n. That one is left
out; what is left is numbered on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pickle import PicklingError
from typing import NoReturn, get_args

import numpy as np

from decalage.app.compose import ModelBlueprint, shared_vad
from decalage.app.journaled import KEPT
from decalage.app.settings import Settings
from decalage.app.tally import spread
from decalage.audio import AudioChunk, Samples, sample_count, seconds
from decalage.config import Engine, SegmenterOptions, StreamOptions
from decalage.contracts import AudioSource, Segmenter
from decalage.errors import UsageError
from decalage.events import (
    Caption,
    Event,
    Gap,
    LanguageChanged,
    Partial,
    Settled,
    Start,
    StreamEvent,
    Summary,
)
from decalage.stages.segmenter import VadSegmenter
from decalage.store.journal_unfinished import Reopened, Unfinished

_WARM_S = 30.0
"""Voice activity hears so much of what came before: in a fresh state it is late, and deaf to quiet speech."""


def settings_of(found: Unfinished, base: Settings) -> Settings:
    """``base`` with what the session says of its languages and models. Raises ``UsageError``."""
    models, options = found.content.settings.models, found.content.settings.options
    engines = {engine: engine for engine in get_args(Engine)}
    if models.engine not in engines:
        raise UsageError(
            f"{found.content.folder.name} was made with the engine {models.engine!r}, unknown here"
        )
    return replace(
        base,
        source=options.source,
        targets=base.targets or options.targets,
        model=models.model,
        device=models.device,
        compute_type=models.compute_type,
        engine=engines[models.engine],
        beam=options.recognizer.beam,
        pace="max",
        partials=False,
    )


class Rest:
    """``contracts.AudioSource``: the sound of a session that has no answer, as fast as it is taken."""

    def __init__(self, found: Unfinished) -> None:
        self.name = found.content.settings.start.input
        self.duration_s: float | None = seconds(found.heard)
        self.samples = 0
        """That were given on so far."""
        self.whole = False
        """Whether all were, to the end."""
        self.stopped = False
        """Whether it was to end early: an utterance may be cut off in the middle."""
        self._found = found

    def __repr__(self) -> str:
        return f"<Rest of {self._found.content.folder.name} from {seconds(self._found.answered):.3f} s>"

    def __reduce__(self) -> NoReturn:
        """Stays in this process, which has to know how far it was read."""
        raise PicklingError("a journal is read here")

    def __iter__(self) -> Iterator[AudioChunk]:
        for chunk in self._found.content.chunks(self._found.answered):
            if self.stopped:
                return
            self.samples += len(chunk.samples)
            yield chunk
        self.whole = True

    def stop(self) -> None:
        self.stopped = True


@dataclass(frozen=True)
class WarmBlueprint(ModelBlueprint):
    """The same stages, of which voice activity has heard ``before``, whole frames."""

    before: Samples = field(default_factory=lambda: np.zeros(0, np.float32))

    def segmenter(self, stream: str, options: SegmenterOptions) -> Segmenter:
        detector = shared_vad().detector()
        for at in range(0, len(self.before), detector.frame_samples):
            detector.probability(self.before[at : at + detector.frame_samples])
        return VadSegmenter(stream, detector, options)


class Resumed:
    """``journaled.Keeping`` over a journal of before: its events come first, new ones are added to it.

    A journal that cannot be written any more costs a warning through ``tell`` and no caption.
    """

    def __init__(self, journal: Reopened, tell: Callable[[str], None]) -> None:
        self._journal: Reopened | None = journal
        self._found = journal.found
        self._tell = tell
        self._rest = Rest(journal.found)
        self._left = False
        self._seq = journal.found.next_seq
        self._settled = list(journal.found.settled)
        self._shift = journal.found.next_index
        self._language = next(
            (each.source for each in reversed(self._settled) if isinstance(each, Caption)), None
        )

    def __repr__(self) -> str:
        return f"<Resumed {self._rest!r}>"

    @property
    def source(self) -> AudioSource:
        """What is to be captioned."""
        return self._rest

    def stages(self, blueprint: ModelBlueprint) -> ModelBlueprint:
        return WarmBlueprint(**vars(blueprint), before=_before(self._found))

    def begin(
        self,
        source: AudioSource,
        start: Start,  # noqa: ARG002
        options: StreamOptions,
    ) -> tuple[AudioSource, StreamOptions]:
        """The session's own options, but for what is of use only while somebody waits."""
        was = self._found.content.settings.options
        segmenter = replace(
            was.segmenter, pause_s=None, revise_s=None, finished_silence_s=None, open_silence_s=None,
            activity=False, clauses=False,
        )  # fmt: skip
        recognizer = replace(
            was.recognizer,
            english=options.recognizer.english,
            words=was.recognizer.words or options.recognizer.words,
        )
        rest = replace(
            was,
            targets=options.targets,
            directions=options.directions,
            recognizer=recognizer,
            segmenter=segmenter,
            pace="max",
            partials=False,
        )
        return source, rest

    def told(self, events: Iterable[Event]) -> Iterator[Event]:
        """All of the session, as if it had not been cut: one start, every answer once, one summary."""
        start = self._found.content.settings.start
        if not self._found.content.events:
            self._keep(start)
        yield start
        for before in self._found.content.events:
            if not isinstance(before.event, Start | Summary):
                yield before.event
        for event in events:
            placed = self._placed(event)
            if placed is not None:
                if isinstance(placed, KEPT):
                    self._keep(placed)
                yield placed

    def leave(self) -> None:
        self._left = True

    def close(self) -> None:
        journal, self._journal = self._journal, None
        if journal is not None:
            journal.close()

    def _placed(self, event: Event) -> Event | None:
        """``event`` in its place in the session; None for one that stands there already."""
        match event:
            case Start():
                return None
            case Summary():
                return summed(event, self._found, self._settled)
            case LanguageChanged() if event.language == self._language:
                return None
            case LanguageChanged():
                event = replace(event, before=self._language)
                self._language = event.language
            case Gap(index=0, captured=False) if sample_count(event.start) < self._found.answered:
                if sample_count(event.end) <= self._found.answered:
                    self._shift -= 1
                    return None
                event = replace(event, start=seconds(self._found.answered))
        return self._numbered(event)

    def _numbered(self, event: StreamEvent) -> StreamEvent:
        if isinstance(event, Settled | Partial | LanguageChanged):
            event = replace(event, index=event.index + self._shift)
        if isinstance(event, Settled):
            self._settled.append(event)
        return event

    def _keep(self, event: Event) -> None:
        """Unless the run was told to stop: what is answered after that may be half a word."""
        journal = self._journal
        if journal is None or self._rest.stopped or self._left:
            return
        if isinstance(event, Summary) and not self._whole(event):
            return
        try:
            journal.event(self._seq, event)
            self._seq += 1
            if isinstance(event, Summary):
                journal.end()
        except OSError as error:
            name = self._found.content.folder.name
            self._tell(f"nothing more is added to {name}, captions go on: {error.strerror}")
            self.close()

    def _whole(self, summary: Summary) -> bool:
        """Whether the sound was read to its end, and all of it is accounted for."""
        heard = sample_count(summary.audio_s) - _captured(self._found.settled)
        return self._rest.whole and summary.breach is None and heard == self._rest.samples


def summed(run: Summary, found: Unfinished, settled: Sequence[Settled]) -> Summary:
    """What became of the whole session, ``settled`` in all; the cost is that of this ``run``."""
    counts = Counter(event.type for event in settled)
    captions = [event for event in settled if isinstance(event, Caption)]
    return replace(
        run,
        utterances=len(settled),
        captions=counts["caption"],
        failures=counts["failure"],
        rejected=counts["rejected"],
        gaps=counts["gap"],
        audio_s=run.audio_s + seconds(_captured(found.settled)),
        rtf=None,
        latency=spread([each.latency for each in captions if each.latency is not None]),
        lag=spread([each.lag for each in captions if each.lag is not None]),
        dropped_s=sum(each.end - each.start for each in settled if isinstance(each, Gap) and each.captured),
    )


def _captured(settled: Sequence[Settled]) -> int:
    """Samples up to the end of the last of ``settled``, without those that were never captured."""
    end = sample_count(settled[-1].end) if settled else 0
    return end - sum(
        sample_count(each.end) - sample_count(each.start)
        for each in settled
        if isinstance(each, Gap) and not each.captured
    )


def _before(found: Unfinished) -> Samples:
    """The last of what has its answer, in whole frames."""
    begin = max(0, found.answered - sample_count(_WARM_S))
    parts = [np.zeros(0, np.float32)]
    for chunk in found.content.chunks(begin):
        if chunk.first >= found.answered:
            break
        parts.append(chunk.samples[: found.answered - chunk.first])
    heard: Samples = np.concatenate(parts)
    return heard[len(heard) % shared_vad().detector().frame_samples :]
