"""What the tests of kept and resumed runs share: speech that tells its word however it is cut."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from decalage.app.journaled import Keeping
from decalage.app.resumed import Resumed
from decalage.app.session import Session
from decalage.audio import AudioChunk, Samples
from decalage.config import RecognizerOptions, RuntimeOptions, SegmenterOptions, StreamOptions
from decalage.contracts import AudioSource
from decalage.events import Event, Settled
from decalage.runtimes.local import LocalRuntime
from decalage.runtimes.pipeline import PipelineRuntime
from decalage.speech import Rejection, Transcript, Utterance
from decalage.stages.segmenter import VadSegmenter
from decalage.store.journal_unfinished import Reopened
from decalage.testing.engines import FakeTranslator
from tests.store.journal_kit import START

FULL_SCALE = 32_768
SECOND = 16_000
FRAME = 512
OPTIONS = StreamOptions(
    targets=("pt",),
    segmenter=SegmenterOptions(
        end_silence_s=0.2,
        min_speech_s=0.06,
        pre_roll_s=0.3,
        post_roll_s=0.1,
        patient_s=1.0,
        max_utterance_s=2.0,
    ),
)


def word(number: int, samples: int) -> Samples:
    """So much speech that says ``number``; 16 bits hold it exactly."""
    return np.full(samples, number / FULL_SCALE, np.float32)


def quiet(samples: int) -> Samples:
    return np.zeros(samples, np.float32)


class Loud:
    """Takes every frame with any sound in it for speech: frames have no memory."""

    frame_samples = FRAME

    def probability(self, frame: Samples) -> float:
        return float(np.any(frame))


class Loudest:
    """Hears the loudest word."""

    def recognize(
        self,
        utterance: Utterance,
        options: RecognizerOptions,
        draft: Transcript | None = None,  # noqa: ARG002
    ) -> Transcript | Rejection:
        return Transcript(f"word {round(float(utterance.samples.max()) * FULL_SCALE)}", options.language)


class LoudBlueprint:
    """The real segmenter between fakes."""

    def segmenter(self, stream: str, options: SegmenterOptions) -> VadSegmenter:
        return VadSegmenter(stream, Loud(), options)

    def recognizer(self, concurrency: int) -> Loudest:  # noqa: ARG002
        return Loudest()

    def translator(self) -> FakeTranslator:
        return FakeTranslator()


def loud_runtime() -> LocalRuntime:
    return PipelineRuntime(LoudBlueprint(), RuntimeOptions(workers=2, vad_deadline_s=1e6))


class Chunks:
    """A source of these."""

    name = "chunks"
    duration_s: float | None = None

    def __init__(self, chunks: Iterable[AudioChunk]) -> None:
        self._chunks = chunks

    def __iter__(self) -> Iterator[AudioChunk]:
        return iter(self._chunks)

    def stop(self) -> None:
        """Ends by itself."""


def run(
    runtime: LocalRuntime, source: AudioSource, keeping: Keeping, options: StreamOptions = OPTIONS
) -> list[Event]:
    """All that a run tells its outputs, as ``captioning.caption`` makes it."""
    heard, options = keeping.begin(source, START, options)
    session = Session(runtime, runtime.run(heard, options), START, before_close=keeping.leave)
    with session.ladder:
        events = list(keeping.told(session))
    keeping.close()
    return events


def resumed(runtime: LocalRuntime, folder: Path, told: list[str] | None = None) -> list[Event]:
    """What ``decalage resume`` gives to its outputs; of a session that is over, what it told."""
    warnings: list[str] = []
    with closing(Reopened(folder)) as journal:
        if journal.found.content.ending == "closed":
            return [each.event for each in journal.found.content.events]
        keeping = Resumed(journal, warnings.append)
        events = run(runtime, keeping.source, keeping)
    assert warnings == (told or [])
    return events


def settled(events: Sequence[Event]) -> list[Settled]:
    return [event for event in events if isinstance(event, Settled)]
