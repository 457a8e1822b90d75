"""A stream's inbox: full speed waits for room, a live source declares what did not fit.

::

    accept() ─▶ memory, max_inbox_s ─▶ take()
                  │ full              ▲
                  ▼                   │ as room comes
                disk, if there is one ┘       full, or refused: a gap
"""

from __future__ import annotations

import itertools
import logging
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from decalage.audio import SAMPLE_RATE, AudioChunk, seconds
from decalage.clock import Clock
from decalage.flow.channel import Channel, ChannelClosed, ChannelStatistics
from decalage.store.spill import SoundSpill

logger = logging.getLogger(__name__)

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


@dataclass(slots=True)
class _Spilled:
    """A run of sound on the disk."""

    first: int
    length: int


class Intake(Channel["AudioChunk | Missing | Flush"]):
    """A channel bounded in seconds of sound; missing sound keeps its place and weighs nothing.

    ``spill`` takes what does not fit, None: nothing does. ``accept``, ``flush`` and ``finish`` belong to
    the feeding side, one thread at a time.
    """

    def __init__(self, bound_s: float, *, waits: bool, clock: Clock, spill: SoundSpill | None = None) -> None:
        super().__init__(bound_s, clock=clock)
        self._waits = waits
        self._spill = spill
        self._spilled: deque[_Spilled | Missing | Flush] = deque()  # bounded by the spill; runs are joined
        self._overflow: Missing | None = None
        self._expected = 0

    @property
    def expected(self) -> int:
        """Number of the sample that should come next."""
        return self._expected

    @property
    def idle(self) -> bool:
        return super().idle and not self._spilled

    @property
    def oldest(self) -> int | None:
        """Number of the oldest sample that waits; None where there is none."""
        with self._condition:
            waiting = itertools.chain((item for item, _ in self._items), self._spilled)
            return next((each.first for each in waiting if isinstance(each, AudioChunk | _Spilled)), None)

    @property
    def spilled(self) -> int:
        """Samples on the disk."""
        return 0 if self._spill is None else self._spill.waiting

    @property
    def peak_spilled(self) -> int:
        """The most samples that ever were on the disk."""
        return 0 if self._spill is None else self._spill.peak

    def accept(self, chunk: AudioChunk) -> Iterator[None]:
        """Take ``chunk`` slice by slice, pausing after each. A hole before it is missing sound.

        Raises ``ChannelClosed`` after ``close``, ``ValueError`` for sound that has come already.
        """
        if chunk.first < self._expected:
            raise ValueError(f"{chunk!r} begins before sample {self._expected}, where the last one ended")
        if chunk.first > self._expected:
            self._declare_overflow()
            self._tell(Missing(self._expected, chunk.first - self._expected, captured=False))
        for offset in range(0, len(chunk.samples), _SLICE):
            self._hand_over(AudioChunk(chunk.first + offset, chunk.samples[offset : offset + _SLICE]))
            yield
        self._expected = chunk.first + len(chunk.samples)

    def flush(self) -> None:
        """What came so far is to be settled, as it will be anyway once it is finished."""
        if not self.closed:
            self._declare_overflow()
            self._tell(Flush())

    def finish(self) -> None:
        """No more sound: declare what did not fit last, then close. Idempotent."""
        if not self.closed:
            self._declare_overflow()
        self.close()

    def cancel(self) -> None:
        super().cancel()
        with self._condition:
            self._spilled.clear()
            if self._spill is not None:
                self._spill.close()

    def take(self) -> AudioChunk | Missing | Flush | None:
        with self._condition:
            self._take_back()
            if self.closed and self.idle and self._spill is not None:
                self._spill.close()
            return super().take()

    def statistics(self) -> ChannelStatistics:
        """As of a channel; ``weight`` counts what is on the disk too."""
        inside = super().statistics()
        return ChannelStatistics(
            inside.items, inside.weight + seconds(self.spilled), inside.peak_weight, inside.passed
        )

    def _declare_overflow(self) -> None:
        if self._overflow is not None:
            self._tell(self._overflow)
            self._overflow = None

    def _tell(self, item: Missing | Flush) -> None:
        """Hand over what weighs nothing, behind all that came before."""
        with self._condition:
            if self._spilled and not self.closed:
                self._spilled.append(item)
            else:
                self._append(item, 0)

    def _hand_over(self, part: AudioChunk) -> None:
        if self._waits:
            self.put(part, part.duration)
            return
        overflow = self._overflow
        with self._condition:
            fits = not self._spilled and self.offer(part, part.duration, before=overflow)
            if fits or self._put_aside(part, overflow):
                self._overflow = None
                return
        first, length = (part.first, 0) if overflow is None else (overflow.first, overflow.length)
        self._overflow = Missing(first, length + len(part.samples), captured=True)

    def _put_aside(self, part: AudioChunk, before: Missing | None) -> bool:
        """``part`` on the disk, if there is one and it has room; ``before`` goes ahead of it."""
        if self.closed:
            raise ChannelClosed("the channel is closed")
        if self._spill is None or not self._spill.append(part.samples):
            return False
        if before is not None:
            self._spilled.append(before)
        last = self._spilled[-1] if self._spilled else None
        if isinstance(last, _Spilled):
            last.length += len(part.samples)
        else:
            self._spilled.append(_Spilled(part.first, len(part.samples)))
        return True

    def _take_back(self) -> None:
        """From the disk what memory has room for; sound that does not come back is a gap."""
        while self._spilled:
            oldest = self._spilled[0]
            if not isinstance(oldest, _Spilled):
                self._items.append((oldest, 0.0))
                self._spilled.popleft()
                continue
            length = min(_SLICE, oldest.length)
            if not self._has_room(seconds(length)):
                return
            item, weight = self._read_back(oldest, length)
            self._items.append((item, weight))
            self._weight += weight
            if not oldest.length:
                self._spilled.popleft()

    def _read_back(self, run: _Spilled, length: int) -> tuple[AudioChunk | Missing, float]:
        """The next ``length`` samples of ``run`` and their weight; all of it where the disk fails."""
        assert self._spill is not None  # noqa: S101 - it has taken them
        try:
            part = AudioChunk(run.first, self._spill.take(length))
        except OSError as error:
            logger.error("sound that waited on the disk cannot be read back: %s", error)  # noqa: TRY400
            lost, run.length = run.length, 0
            self._spill.skip(lost)
            return Missing(run.first, lost, captured=True), 0.0
        run.first += length
        run.length -= length
        return part, part.duration
