"""The seams: what a stage, a source, a sink and a runtime promise each other.

A stage says what is done, a runtime says where it runs, and nothing else knows about threads.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Protocol, runtime_checkable

from decalage.audio import AudioChunk, Samples
from decalage.config import RecognizerOptions, SegmenterOptions, StreamOptions
from decalage.events import Event, StreamEvent
from decalage.speech import Cut, Rejection, Transcript, Translation, Utterance


class VoiceActivityDetector(Protocol):
    """Gives the speech probability of each frame in order; one object per stream, not shared.

    ``frame_samples`` is the frame length in samples.
    """

    frame_samples: int

    def probability(self, frame: Samples) -> float:
        """Probability in 0…1 that ``frame``, shape (frame_samples,), the next in time, holds speech."""
        ...


class Segmenter(Protocol):
    """Cuts one stream into utterances, in spoken order, each sample in at most one final one.

    Provisional utterances, if it gives any, come between the finals around them, with the index of
    the second of these and rising revisions.

    Not safe for threads: a runtime calls it from one place at a time.
    """

    def feed(self, chunk: AudioChunk) -> list[Cut]:
        """The segments completed by ``chunk``; chunks follow each other without holes."""
        ...

    def flush(self) -> list[Cut]:
        """What is open ends here, if it was speech; sound may go on."""
        ...

    def miss(self, first: int, length: int, *, captured: bool) -> list[Cut]:
        """Sound ``first`` … ``first + length`` will never come: close what is open, then a gap."""
        ...

    def hint(self, index: int, revision: int, transcript: Transcript) -> None:
        """What was recognized in a provisional utterance; may come late, or never."""
        ...

    def finish(self) -> list[Cut]:
        """No more sound: what was open, if it was speech."""
        ...


class Recognizer(Protocol):
    """Turns an utterance into text. Safe to call from as many threads as it was built for."""

    def recognize(
        self, utterance: Utterance, options: RecognizerOptions, draft: Transcript | None = None
    ) -> Transcript | Rejection:
        """Text, or why there is none. The result depends on samples and options alone.

        ``draft`` is what was heard in an earlier revision of ``utterance``: with it the result may
        come sooner.

        Raises ``EngineError`` when the engine fails on this utterance.
        """
        ...


class Translator(Protocol):
    """Turns text into another language. Safe to call from several threads."""

    def translate(self, text: str, *, source: str, target: str) -> Translation:
        """Raises ``EngineError`` on failure; ``UnsupportedPairError`` for a pair not in ``pairs``."""
        ...

    def pairs(self) -> Sequence[tuple[str, str]]:
        """The (source, target) pairs covered."""
        ...


class StageBlueprint(Protocol):
    """Small, picklable, builds the stages wherever a runtime wants them: thread, process, actor."""

    def segmenter(self, stream: str, options: SegmenterOptions) -> Segmenter:
        """A fresh segmenter with a fresh VAD state."""
        ...

    def recognizer(self, concurrency: int) -> Recognizer:
        """Loads the model once, for ``concurrency`` calls at a time over one set of weights."""
        ...

    def translator(self) -> Translator:
        """Loads the translation models."""
        ...


class AudioSource(Protocol):
    """Where sound comes from: an iterable of consecutive chunks from sample 0, iterated once."""

    name: str
    duration_s: float | None
    """Seconds, when the source knows."""

    def __iter__(self) -> Iterator[AudioChunk]:
        """Blocks until the next chunk is due. Raises ``DamagedInputError`` after the last good one."""
        ...

    def stop(self) -> None:
        """End the iteration soon, from any thread; chunks already due may still come."""
        ...


class Sink(Protocol):
    """Where captions go, in the order of the events. Raises ``OutputError``."""

    def write(self, event: Event) -> None:
        """Show or store one event; events a sink has no use for are ignored."""
        ...

    def close(self) -> None:
        """Finish the output so that it is valid as it stands. Idempotent."""
        ...


@runtime_checkable
class Stream(Protocol):
    """One speaker's sound going in and its events coming out, settled ones in index order."""

    def feed(self, chunk: AudioChunk) -> None:
        """Take the next chunk. Raises ``StreamFinishedError`` after ``finish``.

        At ``pace="max"`` waits for room; a live stream never waits: what does not fit becomes a
        declared gap.
        """
        ...

    def flush(self) -> None:
        """Settle what has been said so far without waiting for silence; sound may go on. Returns at once."""
        ...

    def finish(self) -> None:
        """No more sound: stop capture, settle the last word, then end the events. Returns at once."""
        ...

    def __iter__(self) -> Iterator[StreamEvent]:
        """Events until the stream has ended; one reader."""
        ...

    def __aiter__(self) -> AsyncIterator[StreamEvent]:
        """The same for asyncio; no thread waits."""
        ...


@runtime_checkable
class Runtime(Protocol):
    """Owns loaded models and workers; serves one stream or many."""

    def open(self, options: StreamOptions) -> Stream:
        """A push stream: the caller feeds it. Raises ``RuntimeClosedError``."""
        ...

    def run(self, source: AudioSource, options: StreamOptions) -> Stream:
        """A stream whose capture the runtime owns too."""
        ...

    def close(self, deadline_s: float = 5.0) -> None:
        """Give up what is unfinished and stop all workers within ``deadline_s``. Idempotent."""
        ...
