"""A stream's inbox: full speed waits for room, a live source declares what did not fit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from decalage.audio import SAMPLE_RATE, AudioChunk
from decalage.clock import Clock
from decalage.flow.channel import Channel

_SLICE = SAMPLE_RATE // 10
"""Samples segmented in one go: no stream holds a worker for longer."""


@dataclass(frozen=True, slots=True)
class Missing:
    """Sound that will not come: a run of samples, dropped here (captured) or never there."""

    first: int
    length: int
    captured: bool


class Flush:
    """What is open ends here."""


class Intake(Channel["AudioChunk | Missing | Flush"]):
    """A channel bounded in seconds of sound; missing sound keeps its place and weighs nothing.

    ``accept`` and ``finish`` belong to the feeding side, one thread at a time.
    """

    def __init__(self, bound_s: float, *, waits: bool, clock: Clock) -> None:
        super().__init__(bound_s, clock=clock)
        self._waits = waits
        self._overflow: Missing | None = None
        self._expected = 0

    @property
    def expected(self) -> int:
        """Number of the sample that should come next."""
        return self._expected

    def accept(self, chunk: AudioChunk) -> Iterator[None]:
        """Take ``chunk`` slice by slice, pausing after each. A hole before it is missing sound.

        Raises ``ChannelClosed`` after ``close``, ``ValueError`` for sound that has come already.
        """
        if chunk.first < self._expected:
            raise ValueError(f"{chunk!r} begins before sample {self._expected}, where the last one ended")
        if chunk.first > self._expected:
            self._declare_overflow()
            self.put(Missing(self._expected, chunk.first - self._expected, captured=False), 0)
        for offset in range(0, len(chunk.samples), _SLICE):
            self._hand_over(AudioChunk(chunk.first + offset, chunk.samples[offset : offset + _SLICE]))
            yield
        self._expected = chunk.first + len(chunk.samples)

    def flush(self) -> None:
        """What came so far is to be settled, as it will be anyway once it is finished."""
        if not self.closed:
            self._declare_overflow()
            self.put(Flush(), 0)

    def finish(self) -> None:
        """No more sound: declare what did not fit last, then close. Idempotent."""
        if not self.closed:
            self._declare_overflow()
        self.close()

    def _declare_overflow(self) -> None:
        if self._overflow is not None:
            self.put(self._overflow, 0)
            self._overflow = None

    def _hand_over(self, part: AudioChunk) -> None:
        if self._waits:
            self.put(part, part.duration)
            return
        overflow = self._overflow
        if self.offer(part, part.duration, before=overflow):
            self._overflow = None
            return
        first, length = (part.first, 0) if overflow is None else (overflow.first, overflow.length)
        self._overflow = Missing(first, length + len(part.samples), captured=True)
