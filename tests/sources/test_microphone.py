"""A device as a source: on the stream clock, lost and found, paused, never waited for."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from decalage.audio import AudioChunk
from decalage.errors import MissingPartError
from decalage.sources.microphone import LOST_AFTER_S, SILENT_DB, TRY_AGAIN_S, MicrophoneSource
from decalage.testing import ManualClock

RATE = 16_000


class FakeRecording:
    def __init__(self, device: FakeDevice, rate: int, channels: int) -> None:
        self.rate, self.channels = rate, channels
        self._device = device

    def close(self) -> None:
        self._device.closed += 1
        self._device.deliver = None


class FakeDevice:
    """Gives what a test says; can be gone."""

    def __init__(self, rate: int = RATE, channels: int = 1) -> None:
        self.name = "desk"
        self.gone = False
        self.opened = self.closed = 0
        self.deliver: Callable[[NDArray[np.float32], bool], None] | None = None
        self._form = (rate, channels)

    def open(self, deliver: Callable[[NDArray[np.float32], bool], None]) -> FakeRecording:
        if self.gone:
            raise MissingPartError("desk is not connected")
        self.opened += 1
        self.deliver = deliver
        return FakeRecording(self, *self._form)

    def give(self, level: float = 0.5, seconds: float = 0.1, *, overflowed: bool = False) -> None:
        rate, channels = self._form
        assert self.deliver is not None
        self.deliver(np.full((channels, round(seconds * rate)), level, np.float32), overflowed)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def said(device: FakeDevice, clock: ManualClock, level: float = 0.5, *, overflowed: bool = False) -> None:
    """A tenth of a second passes and is heard."""
    clock.advance(0.1)
    device.give(level, overflowed=overflowed)


def levels(chunk: AudioChunk) -> float:
    return round(float(chunk.samples[0]), 3)


def test_sound_comes_in_order_from_sample_0_on(clock: ManualClock) -> None:
    device = FakeDevice()
    source = MicrophoneSource(device, clock=clock)
    for level in (0.1, 0.2, 0.3):
        said(device, clock, level)
    chunks = iter(source)
    found = [next(chunks) for _ in range(3)]
    assert [chunk.first for chunk in found] == [0, 1600, 3200]
    assert [levels(chunk) for chunk in found] == [0.1, 0.2, 0.3]
    assert source.state == "listening"
    source.stop()
    assert list(chunks) == []
    assert device.closed == 1


def test_other_rates_and_channels_become_16_khz_mono(clock: ManualClock) -> None:
    device = FakeDevice(rate=48_000, channels=2)
    source = MicrophoneSource(device, clock=clock)
    for _ in range(20):
        said(device, clock)
    source.stop()
    chunks = list(source)
    length = sum(len(chunk.samples) for chunk in chunks)
    assert length == pytest.approx(2 * RATE, abs=0.05 * RATE)
    assert all(chunk.samples.dtype == np.float32 and chunk.samples.ndim == 1 for chunk in chunks)
    assert float(np.median(np.concatenate([chunk.samples for chunk in chunks]))) == pytest.approx(
        0.5, abs=0.01
    )


def reading(source: MicrophoneSource) -> tuple[list[AudioChunk], threading.Thread]:
    chunks: list[AudioChunk] = []
    thread = threading.Thread(target=lambda: chunks.extend(source))
    thread.start()
    return chunks, thread


def test_a_device_that_is_lost_and_comes_back_leaves_a_hole_of_the_time_between(clock: ManualClock) -> None:
    device = FakeDevice()
    source = MicrophoneSource(device, clock=clock)
    said(device, clock, 0.1)
    chunks, thread = reading(source)
    clock.until_waiting(1)
    device.gone = True
    clock.advance(LOST_AFTER_S)  # nothing comes
    clock.until_waiting(1)
    assert source.state == "lost"
    clock.advance(TRY_AGAIN_S)
    clock.until_waiting(1)
    device.gone = False
    clock.advance(TRY_AGAIN_S)
    clock.until_waiting(1)
    assert (device.opened, device.closed) == (2, 1)
    said(device, clock, 0.2)
    clock.until_waiting(1)
    source.stop()
    thread.join(30)
    assert [chunk.first for chunk in chunks] == [0, 1600 + round((LOST_AFTER_S + 2 * TRY_AGAIN_S) * RATE)]
    assert [levels(chunk) for chunk in chunks] == [0.1, 0.2]


def test_a_pause_is_a_hole_too_and_what_was_said_in_it_is_not_heard(clock: ManualClock) -> None:
    device = FakeDevice()
    source = MicrophoneSource(device, clock=clock)
    said(device, clock, 0.1)
    chunks, thread = reading(source)
    clock.until_waiting(1)
    source.pause()
    assert source.paused
    assert device.deliver is None
    clock.advance(LOST_AFTER_S)
    clock.until_waiting(1)
    assert source.state == "paused"
    source.resume()
    clock.advance(TRY_AGAIN_S)
    clock.until_waiting(1)
    said(device, clock, 0.2)
    clock.until_waiting(1)
    source.stop()
    thread.join(30)
    assert [chunk.first for chunk in chunks] == [0, 1600 + round((LOST_AFTER_S + TRY_AGAIN_S) * RATE)]


def test_sound_lost_by_the_driver_is_a_hole_where_it_was_long_enough(clock: ManualClock) -> None:
    device = FakeDevice()
    source = MicrophoneSource(device, clock=clock)
    said(device, clock)
    clock.advance(0.5)
    said(device, clock, overflowed=True)
    said(device, clock)
    source.stop()
    assert [chunk.first for chunk in source] == [0, 1600 + 8000, 3200 + 8000]
    assert source.overflows == 1


def test_the_time_in_which_the_machine_slept_is_a_hole_though_nobody_says_so(clock: ManualClock) -> None:
    device = FakeDevice()
    source = MicrophoneSource(device, clock=clock)
    said(device, clock)
    clock.advance(3600)
    said(device, clock)
    said(device, clock)
    source.stop()
    assert [chunk.first for chunk in source] == [0, 1600 + 3600 * RATE, 3200 + 3600 * RATE]


def test_a_device_whose_clock_is_slow_loses_nothing_by_it(clock: ManualClock) -> None:
    device = FakeDevice()
    source = MicrophoneSource(device, clock=clock)
    for _ in range(90):
        clock.advance(0.05)  # a tenth of a second takes half as long again
        said(device, clock)
    source.stop()
    assert [chunk.first for chunk in source] == [1600 * n for n in range(90)]


def test_a_block_that_comes_late_moves_nothing(clock: ManualClock) -> None:
    device = FakeDevice()
    source = MicrophoneSource(device, clock=clock)
    for late in (0.0, 0.3, 0.0, 0.05):
        clock.advance(late)
        said(device, clock)
    source.stop()
    assert [chunk.first for chunk in source] == [0, 1600, 3200, 4800]


def test_who_does_not_read_makes_the_device_wait_for_nothing(clock: ManualClock) -> None:
    device = FakeDevice()
    source = MicrophoneSource(device, clock=clock)
    for _ in range(150):  # 15 s, with room for 10
        said(device, clock)
    chunks = iter(source)
    heard = [next(chunks) for _ in range(100)]
    said(device, clock)
    after = next(chunks)
    source.stop()
    assert [chunk.first for chunk in heard] == [1600 * n for n in range(100)]
    assert after.first == 1600 * 150, "what was dropped is a hole"
    assert source.overflows >= 1


def test_silence_is_known_from_quiet_rooms(clock: ManualClock) -> None:
    device = FakeDevice()
    source = MicrophoneSource(device, clock=clock)
    for level, silent in ((0.0, True), (0.001, False), (0.5, False)):
        said(device, clock, level)
        next(iter(source))
        assert source.silent is silent
        assert source.level_db >= SILENT_DB
    source.stop()


def test_a_device_that_cannot_be_opened_is_refused_before_anything_runs(clock: ManualClock) -> None:
    device = FakeDevice()
    device.gone = True
    with pytest.raises(MissingPartError, match="not connected"):
        MicrophoneSource(device, clock=clock)


def test_stop_ends_a_wait_for_a_lost_device(clock: ManualClock) -> None:
    device = FakeDevice()
    source = MicrophoneSource(device, clock=clock)
    _, thread = reading(source)
    clock.until_waiting(1)
    device.gone = True
    clock.advance(LOST_AFTER_S)
    clock.until_waiting(1)
    source.stop()
    thread.join(30)
    assert not thread.is_alive()


def test_it_stays_in_its_process(clock: ManualClock) -> None:
    source = MicrophoneSource(FakeDevice(), clock=clock)
    with pytest.raises(pickle.PicklingError):
        pickle.dumps(source)


def test_sound_that_is_no_number_is_silence(clock: ManualClock) -> None:
    device = FakeDevice()
    source = MicrophoneSource(device, clock=clock)

    def chunks() -> Iterator[AudioChunk]:
        said(device, clock, float("nan"))
        said(device, clock, 7.0)
        source.stop()
        return iter(source)

    first, second = chunks()
    assert not first.samples.any()
    assert second.samples.max() == 1.0
