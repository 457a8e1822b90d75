"""What is kept of a run beside its outputs: nothing, or a journal that says what was heard and answered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from pickle import PicklingError
from typing import NoReturn, Protocol

from decalage.app.compose import ModelBlueprint
from decalage.app.settings import Settings
from decalage.audio import AudioChunk, sample_count
from decalage.config import StreamOptions
from decalage.contracts import AudioSource
from decalage.errors import OutputError
from decalage.events import Event, LanguageChanged, Settled, Start, Summary
from decalage.store.history_upkeep import keep_text
from decalage.store.journal import Journal, JournalOptions, Recording
from decalage.store.journal_settings import Models

KEPT = Start | LanguageChanged | Settled | Summary
"""What of a run is for later; growing captions, and who speaks when, are for the moment."""
_DAY_S = 86_400


class Keeping(Protocol):
    """Goes along with a run, from its models to its last event; never keeps it waiting, never stops it."""

    def stages(self, blueprint: ModelBlueprint) -> ModelBlueprint:
        """What the run is made of."""
        ...

    def begin(
        self, source: AudioSource, start: Start, options: StreamOptions
    ) -> tuple[AudioSource, StreamOptions]:
        """The run begins: what it hears, and how."""
        ...

    def told(self, events: Iterable[Event]) -> Iterator[Event]:
        """The events for the outputs; what is to be kept of one is kept before it is given on."""
        ...

    def leave(self) -> None:
        """What has no answer now will get none worth keeping. From any thread."""
        ...

    def close(self) -> None:
        """The run is over, whichever way. Idempotent."""
        ...


class Unkept:
    """Nothing is kept."""

    def stages(self, blueprint: ModelBlueprint) -> ModelBlueprint:
        return blueprint

    def begin(
        self,
        source: AudioSource,
        start: Start,  # noqa: ARG002
        options: StreamOptions,
    ) -> tuple[AudioSource, StreamOptions]:
        return source, options

    def told(self, events: Iterable[Event]) -> Iterator[Event]:
        return iter(events)

    def leave(self) -> None:
        """Nothing to leave."""

    def close(self) -> None:
        """Nothing to close."""


class Recorded:
    """``source``, of which each chunk is handed to ``record`` as it comes."""

    def __init__(self, source: AudioSource, record: Callable[[AudioChunk], None]) -> None:
        self.name = source.name
        self.duration_s = source.duration_s
        self.samples = 0
        """That were given on so far."""
        self._source = source
        self._record = record

    def __repr__(self) -> str:
        return f"<Recorded {self._source!r}>"

    def __reduce__(self) -> NoReturn:
        """Stays in this process, in every runtime: the journal is written here."""
        raise PicklingError(f"{self.name} is recorded here")

    def __iter__(self) -> Iterator[AudioChunk]:
        for chunk in self._source:
            self._record(chunk)
            self.samples += len(chunk.samples)
            yield chunk

    def stop(self) -> None:
        self._source.stop()


class Kept:
    """A journal of the run: sound as it is captured, and each answer before anybody sees it.

    One that cannot be made, or stops, costs a warning through ``tell`` and no caption.
    """

    def __init__(self, settings: Settings, tell: Callable[[str], None], root: Path | None = None) -> None:
        """``root``: the folder of the journals, by default the user's own."""
        self._settings = settings
        self._tell = tell
        self._root = root
        self._journal: Journal | None = None
        self._recording: Recording | None = None
        self._heard: Recorded | None = None
        self._seq = 0
        self._over = self._left = False

    def __repr__(self) -> str:
        return f"<Kept {self._recording!r}>"

    def stages(self, blueprint: ModelBlueprint) -> ModelBlueprint:
        return blueprint

    def begin(
        self, source: AudioSource, start: Start, options: StreamOptions
    ) -> tuple[AudioSource, StreamOptions]:
        limits = JournalOptions()
        try:
            self._journal = Journal(
                models_of(self._settings), self._root, limits, before_delete=keep_text, tell=self._tell
            )
        except OutputError as error:
            self._tell(str(error))
            return source, options
        self._recording = self._journal.begin(start, options)
        self._heard = Recorded(source, self._recording.sound)
        self._tell(
            f"sound is kept in {self._recording.folder.folder} for "
            f"{limits.longest_s / _DAY_S:.0f} days, the text in the history until you delete it; "
            "--no-journal keeps nothing"
        )
        return self._heard, options

    def told(self, events: Iterable[Event]) -> Iterator[Event]:
        for event in events:
            if self._recording is not None and isinstance(event, KEPT):
                self._keep(self._recording, event)
            yield event

    def leave(self) -> None:
        self._left = True
        if self._recording is not None:
            self._recording.leave()

    def close(self) -> None:
        """Tells how the rest is captioned, where there is one."""
        journal, self._journal = self._journal, None
        recording = self._recording
        if journal is None or recording is None:
            return
        journal.close()
        if not self._over and recording.stopped is None and recording.statistics().written:
            self._tell(
                "what was heard and has no caption yet is in the journal; to caption it: decalage resume"
            )

    def _keep(self, recording: Recording, event: Event) -> None:
        if isinstance(event, Summary):
            if self._left or not self._whole(event):
                recording.leave()
                return
            self._over = True
        self._seq += 1
        recording.event(self._seq, event)
        if self._over:
            recording.close()

    def _whole(self, summary: Summary) -> bool:
        """Whether all that was heard is accounted for: sound that was given up is not."""
        heard = 0 if self._heard is None else self._heard.samples
        return summary.breach is None and sample_count(summary.audio_s) == heard


def models_of(settings: Settings) -> Models:
    """What recognizes, for the journal; a folder by its absolute path."""
    folder = Path(settings.model)
    return Models(
        model=str(folder.absolute()) if folder.is_dir() else settings.model,
        device=settings.device,
        compute_type=settings.compute_type,
        engine=settings.engine,
    )
