"""A paced source gives each chunk when its last sample is due."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from decalage.audio import AudioChunk
from decalage.errors import UsageError
from decalage.sources.pace import Limited, Paced
from decalage.testing import ManualClock


class Steady:
    """Ten chunks of a tenth of a second."""

    name = "steady"
    duration_s: float | None = 1.0

    def __init__(self) -> None:
        self.stopped = False

    def __iter__(self) -> Iterator[AudioChunk]:
        for number in range(10):
            if self.stopped:
                return
            yield AudioChunk(number * 1600, np.zeros(1600, np.float32))

    def stop(self) -> None:
        self.stopped = True


def _collect(source: Paced, clock: ManualClock, times: list[float]) -> threading.Thread:
    thread = threading.Thread(target=lambda: times.extend(clock.now() for _ in source))
    thread.start()
    return thread


def test_chunks_come_at_absolute_times_and_a_late_reader_catches_up() -> None:
    clock, times = ManualClock(), list[float]()
    thread = _collect(Paced(Steady(), clock), clock, times)
    clock.until_waiting(1)
    clock.advance(0.55)
    clock.until_waiting(1)
    clock.advance(0.45)
    thread.join(30)
    assert times == [0.55] * 5 + [1.0] * 5


class Slow(Steady):
    """Its first chunk is five seconds late."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__()
        self._clock = clock

    def __iter__(self) -> Iterator[AudioChunk]:
        self._clock.advance(5.0)
        yield from super().__iter__()


def test_a_late_start_moves_the_stream_clock_and_nothing_comes_early() -> None:
    clock, times = ManualClock(), list[float]()
    thread = _collect(Paced(Slow(clock), clock), clock, times)
    for _ in range(10):
        clock.until_waiting(1)
        clock.advance(0.1 + 1e-9)  # the sum of tenths may fall just short of a due time
    thread.join(30)
    assert np.allclose(times, 5.0 + 0.1 * np.arange(1, 11))


def test_nothing_comes_before_it_is_due() -> None:
    clock, times = ManualClock(), list[float]()
    source = Paced(Steady(), clock)
    thread = _collect(source, clock, times)
    clock.until_waiting(1)
    clock.advance(0.099)
    clock.until_waiting(1)
    source.stop()
    thread.join(30)
    assert times == []


def test_limited_ends_at_its_sample() -> None:
    source = Steady()
    chunks = list(Limited(source, 0.25))
    assert sum(len(chunk.samples) for chunk in chunks) == 4000
    assert source.stopped
    assert Limited(Steady(), 5.0).duration_s == 1.0


@pytest.mark.parametrize("duration_s", [float("nan"), float("inf")])
def test_what_is_no_number_of_seconds_limits_nothing(duration_s: float) -> None:
    with pytest.raises(UsageError, match=f"duration {duration_s} s: a number is needed"):
        Limited(Steady(), duration_s)
