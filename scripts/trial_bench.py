"""What the rounds of ``scripts.chaos`` share: pieces of speech, what is heard in them, one disturbed run."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from decalage.app.compose import RUNTIMES, ModelBlueprint, make_blueprint, stream_options
from decalage.app.settings import Settings
from decalage.audio import AudioChunk, Samples, sample_count, seconds
from decalage.clock import SystemClock
from decalage.config import Pace, RuntimeName, RuntimeOptions, StreamOptions
from decalage.contracts import AudioSource, StageBlueprint
from decalage.events import Caption, Settled
from decalage.flow.trace import Trace
from decalage.runtimes.local import LocalRuntime
from decalage.runtimes.stream import RuntimeStream
from decalage.sources.pace import Paced
from scripts.evaluation import Recording, gold
from scripts.trial_books import Books
from scripts.trial_verdict import Verdict
from scripts.trial_watch import blocks_of, leftovers

CHUNK = 1_600
_HANGS_S = 12.0
_STEPS = 1 << 15
_PIECE_S = 12.0
_SHORTEST_S, _LONGEST_S = 2.5, 7.0
_END_SILENCE_S = 0.5
"""Set, so that where an utterance ends depends on the samples alone, whatever is recognized when."""
ENDS_WITHIN_S = 90.0
"""A run that has not ended by then hangs: its speech takes a few seconds, its deadlines a few more."""


@dataclass
class Piece:
    """Some recordings one after the other, and what an undisturbed run hears in them."""

    samples: Samples
    unharmed: list[Caption] = field(default_factory=list)
    """Heard at full speed."""
    live: list[Caption] | None = None
    """Heard at speaking pace; None: nobody has asked."""

    @property
    def duration_s(self) -> float:
        """Seconds."""
        return seconds(len(self.samples))


@dataclass
class Played:
    """``samples`` in chunks, with a hole in them, an error at the end or none at all: an ``AudioSource``.

    Picklable, iterated once.
    """

    samples: Samples
    hole: tuple[int, int] | None = None
    """Samples that are never captured."""
    raises: tuple[int, Exception] | None = None
    """Raised from this sample on."""
    hangs_at: int | None = None
    """Gives nothing from this sample on, and does not hear that it should stop for a while."""
    name: str = "piece"
    duration_s: float | None = None
    _stopped: bool = False

    def __iter__(self) -> Iterator[AudioChunk]:
        for at in range(0, len(self.samples), CHUNK):
            if self._stopped:
                return
            if self.hangs_at is not None and at >= self.hangs_at:
                threading.Event().wait(_HANGS_S)
                return
            if self.raises is not None and at >= self.raises[0]:
                raise self.raises[1]
            if self.hole is None or not self.hole[0] <= at < self.hole[1]:
                yield AudioChunk(at, self.samples[at : at + CHUNK])

    def stop(self) -> None:
        self._stopped = True


class Bench:
    """Models found once; pieces and their captions made as they are asked for."""

    def __init__(self, seed: int, pieces: int = 6) -> None:
        self._chance = random.Random(seed)  # noqa: S311 - a seed, not a secret
        self.settings = Settings(end_silence_s=_END_SILENCE_S, workers=2, threads=1, offline=True)
        self.blueprint: ModelBlueprint = make_blueprint(self.settings)
        self._count = pieces

    @cached_property
    def pieces(self) -> Sequence[Piece]:
        """All of them, heard by ``pipeline`` at full speed."""
        recordings = [each for each in gold("en") if _SHORTEST_S < seconds(len(each.samples)) < _LONGEST_S]
        found = [Piece(_joined(recordings, self._chance)) for _ in range(self._count)]
        with self.runtime("pipeline") as runtime:
            for piece in found:
                stream = runtime.run(Played(piece.samples), self.options("max"))
                piece.unharmed = [event for event in stream if isinstance(event, Caption)]
                if not piece.unharmed:
                    raise SystemExit("an undisturbed run heard nothing: there is nothing to compare with")
        return found

    def live(self, piece: Piece) -> list[Caption]:
        """What is heard of ``piece`` at speaking pace."""
        if piece.live is None:
            with self.runtime("pipeline") as runtime:
                stream = runtime.run(paced(Played(piece.samples), "realtime"), self.options("realtime"))
                piece.live = [event for event in stream if isinstance(event, Caption)]
        return piece.live

    def options(self, pace: Pace) -> StreamOptions:
        """Of a stream; at speaking pace captions grow and pauses are worked on."""
        return stream_options(replace(self.settings, pace=pace), self.blueprint)

    @contextmanager
    def runtime(
        self,
        name: RuntimeName,
        blueprint: StageBlueprint | None = None,
        *,
        trace: Trace | None = None,
        limits: RuntimeOptions | None = None,
    ) -> Iterator[LocalRuntime]:
        """With its models loaded, closed at the end."""
        options = replace(limits or RuntimeOptions(), workers=self.settings.parallelism()[0])
        runtime = RUNTIMES[name](blueprint or self.blueprint, options, trace=trace)
        try:
            yield runtime
        finally:
            runtime.close()


def _joined(recordings: Sequence[Recording], chance: random.Random) -> Samples:
    """Each once: by its text an utterance is known. A file of 16 bits holds the very same samples."""
    parts: list[Samples] = []
    for recording in chance.sample(recordings, len(recordings)):
        parts.append(np.zeros(sample_count(chance.uniform(0.9, 1.5)), np.float32))
        parts.append(recording.samples)
        if sum(map(len, parts)) > sample_count(_PIECE_S):
            break
    whole = np.concatenate([*parts, np.zeros(sample_count(0.7), np.float32)])
    return (np.clip(np.round(whole * _STEPS), -_STEPS, _STEPS - 1) / _STEPS).astype(np.float32)


def paced(source: AudioSource, pace: Pace) -> AudioSource:
    """``source`` as it is spoken, or as fast as it goes."""
    return Paced(source, SystemClock()) if pace == "realtime" else source


def read(
    stream: RuntimeStream,
    verdict: Verdict,
    each: Callable[[Settled], None] | None = None,
    *,
    within_s: float = ENDS_WITHIN_S,
) -> list[Settled]:
    """All settled events of ``stream``; what breaks the contract goes into ``verdict``.

    One that does not end is abandoned.
    """
    books, settled = Books(), list[Settled]()

    def give_up() -> None:
        verdict.wrong.append(f"the stream did not end within {within_s:g} s")
        stream.abandon("the trial gives it up")

    guard = threading.Timer(within_s, give_up)
    guard.daemon = True
    guard.start()
    try:
        for event in stream:
            books.add(event)
            if isinstance(event, Settled):
                settled.append(event)
                if each is not None:
                    each(event)
    finally:
        guard.cancel()
        guard.join()
    told = stream.statistics()
    verdict.wrong += books.compare(told)
    if told.breach is not None:
        verdict.wrong.append(f"breach: {told.breach}")
    return settled


@contextmanager
def nothing_left(verdict: Verdict) -> Iterator[Callable[[], None]]:
    """What a round leaves behind goes into ``verdict``; call what this gives while its runtime is at work."""
    before, blocks = set(threading.enumerate()), set[str]()
    shared_before = blocks_of(os.getpid())
    yield lambda: blocks.update(blocks_of(os.getpid()) - shared_before)
    verdict.wrong += [f"left: {each}" for each in leftovers(before)]
    verdict.wrong += [f"left: shared memory {name}" for name in blocks if Path("/dev/shm", name).exists()]  # noqa: S108
