"""An input device as it hears: a microphone, a line, or a monitor of what the machine itself plays.

::

    device's own thread ── block ─▶ channel ─▶ __iter__: mix, resample, place on the stream clock
                           never waits          no block for 2 s: the device is lost, it is opened again

Sample n is due at n/16000 after the first one, whatever the device does: sound that was lost between two
blocks is a hole between two chunks, which the stream declares as a gap. So is the time in which the machine
slept.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pickle import PicklingError
from typing import Any, Literal, NoReturn, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from decalage.audio import SAMPLE_RATE, AudioChunk, Samples, sample_count
from decalage.clock import Clock, OutsideClock
from decalage.errors import MissingPartError
from decalage.flow.channel import Channel, ChannelClosed, ChannelFinished
from decalage.flow.stopping import StopSignal
from decalage.sources.downmix import Downmix

logger = logging.getLogger(__name__)

LOST_AFTER_S = 2.0
"""A device that gives nothing for so long is taken for lost."""
TRY_AGAIN_S = 0.5
"""From one try to open a lost device to the next."""
_ROOM_S = 10.0
"""Sound that may wait here, for a reader that is late."""
_JITTER_S = 0.1
"""A block may come so much later than its sound says without anything having been lost."""
SILENT_DB = -80.0
"""Level of a device that is muted or not connected: no room is so quiet."""

State: TypeAlias = Literal["opening", "listening", "paused", "lost"]


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """What a device gave: shape (channels, n), at its own rate, and when it came."""

    samples: NDArray[np.float32]
    came: float
    """Seconds on the clock."""
    opening: int
    """Which opening of the device it is of."""
    overflowed: bool = False
    """Sound was lost before it."""


class Recording(Protocol):
    """A device that is open."""

    rate: int
    """Hertz."""
    channels: int

    def close(self) -> None:
        """No more blocks come. Idempotent."""
        ...


class Device(Protocol):
    """An input device that can be opened, again and again."""

    name: str

    def open(self, deliver: Callable[[NDArray[np.float32], bool], None]) -> Recording:
        """Call ``deliver(samples, overflowed)`` with each block, from a thread of the device's own.

        Raises ``MissingPartError`` when it is not there, is busy or cannot record.
        """
        ...


class MicrophoneSource:
    """16 kHz mono from ``device`` until it is stopped; opened on construction: a refusal comes early."""

    duration_s: float | None = None

    def __init__(self, device: Device, *, clock: Clock | None = None) -> None:
        self.name = device.name
        self.state: State = "opening"
        self.level_db = SILENT_DB
        """Of the newest block, decibels relative to full scale."""
        self.overflows = 0
        """How often sound was lost between device and us."""
        self._device = device
        self._clock = clock or OutsideClock()
        self._stop = StopSignal()
        self._blocks: Channel[Block] = Channel(_ROOM_S, clock=self._clock)
        self._openings = 0
        self._dropped = False
        self._paused = False
        self._recording: Recording | None = None
        self._open()

    def __repr__(self) -> str:
        return f"<MicrophoneSource {self.name!r} {self.state}>"

    def __reduce__(self) -> NoReturn:
        """Stays in this process: who shows its level holds it."""
        raise PicklingError(f"{self.name} is open here")

    def __iter__(self) -> Iterator[AudioChunk]:
        first, origin, before = 0, None, 0.0
        while (recording := self._recording) is not None or self._reopened():
            if recording is None:
                continue
            hearing = _Hearing(recording)
            for block in self._heard(recording):
                samples = hearing.add(block)
                length_s = len(block.samples[0]) / recording.rate
                if origin is None:
                    origin = block.came - length_s
                due = sample_count(block.came - length_s - origin)
                slept = block.came - length_s - before > LOST_AFTER_S  # nobody was there to say so
                if (hearing.begins or block.overflowed or slept) and due > first + sample_count(_JITTER_S):
                    first = due
                hearing.begins, before = False, block.came
                if len(samples):
                    yield AudioChunk(first, samples)
                    first += len(samples)
            self._close()

    def stop(self) -> None:
        self._stop.set()
        self._blocks.close()

    def pause(self) -> None:
        """Hear nothing until ``resume``; the time between is a gap."""
        self._paused = True
        self._close()
        self.state = "paused"

    def resume(self) -> None:
        """Hear again."""
        self._paused = False

    @property
    def paused(self) -> bool:
        """Whether ``resume`` is waited for."""
        return self._paused

    @property
    def silent(self) -> bool:
        """Whether nothing comes that could be sound."""
        return self.state == "listening" and self.level_db <= SILENT_DB

    def _heard(self, recording: Recording) -> Iterator[Block]:
        """Blocks until the device is lost or closed; when stopped, those that have come."""
        while self._recording is recording:
            try:
                block = self._blocks.take_until(self._clock.now() + LOST_AFTER_S)
            except ChannelFinished:
                return
            if block is not None:
                if block.opening == self._openings:  # what is older stands in the gap before this opening
                    self.state = "listening"
                    yield block
            elif not self._paused:
                logger.warning("%s gives no sound; it is opened again", self.name)
                return

    def _deliver(self, opening: int, samples: NDArray[np.float32], overflowed: bool) -> None:
        """The device's thread: hand over, or drop and remember that; never wait."""
        overflowed = overflowed or self._dropped
        self.overflows += overflowed
        self.level_db = _level_db(samples)
        block = Block(samples, self._clock.now(), opening, overflowed)
        rate = SAMPLE_RATE if self._recording is None else self._recording.rate
        try:
            self._dropped = not self._blocks.offer(block, samples.shape[1] / rate)
        except ChannelClosed:
            return

    def _open(self) -> None:
        self._openings += 1
        self._recording = self._device.open(partial(self._deliver, self._openings))

    def _close(self) -> None:
        recording, self._recording = self._recording, None
        if recording is not None:
            recording.close()

    def _reopened(self) -> bool:
        """Try to open a lost device, or wait while it is paused; False when stopped."""
        while not self._stop.is_set:
            if not self._paused:
                try:
                    self._open()
                except MissingPartError as error:
                    self.state = "lost"
                    logger.info("%s is not back: %s", self.name, error)
                else:
                    return True
            if self._stop.wait_until(self._clock, self._clock.now() + TRY_AGAIN_S):
                break
        self._close()
        return False


class _Hearing:
    """What came from one opening of a device, mixed and resampled."""

    def __init__(self, recording: Recording) -> None:
        import soxr  # noqa: PLC0415

        self.begins = True
        """Whether the next block is its first."""
        self._mix = Downmix(recording.channels, recording.rate)
        self._resampler: Any = None
        if recording.rate != SAMPLE_RATE:
            self._resampler = soxr.ResampleStream(recording.rate, SAMPLE_RATE, 1, dtype="float32")

    def add(self, block: Block) -> Samples:
        """The next samples at 16 kHz."""
        mono = np.clip(np.nan_to_num(self._mix(block.samples), nan=0.0), -1, 1)
        if self._resampler is None:
            return mono
        resampled: Samples = np.clip(self._resampler.resample_chunk(mono), -1, 1)
        return resampled


def _level_db(samples: NDArray[np.float32]) -> float:
    power = float(np.mean(np.square(samples, dtype=np.float64))) if samples.size else 0.0
    return max(SILENT_DB, 10 * float(np.log10(power + 1e-12)))
