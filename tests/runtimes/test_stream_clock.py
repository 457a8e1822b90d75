"""When a stream began, as its sound tells."""

from __future__ import annotations

import numpy as np
import pytest

from decalage.audio import SAMPLE_RATE, AudioChunk
from decalage.runtimes.stream_clock import StreamClock
from decalage.testing import ManualClock

BLOCK_S = 0.1
BLOCK = round(BLOCK_S * SAMPLE_RATE)


class Listening:
    """A stream clock, and who feeds it."""

    def __init__(self, *, live: bool = True) -> None:
        self.clock = ManualClock()
        self.stream = StreamClock(self.clock, live=live)
        self.place = 0

    def hear(self, seconds: float, *, late_s: float = 0.0) -> None:
        """Blocks as they are spoken; each comes ``late_s`` after that."""
        begun, first = self.clock.now(), self.place
        for _ in range(round(seconds / BLOCK_S)):
            due = begun + (self.place - first + BLOCK) / SAMPLE_RATE + late_s
            self.clock.advance(due - self.clock.now())
            self.deliver()

    def deliver(self) -> None:
        """The next block comes now."""
        self.stream.arrived(AudioChunk(self.place, np.zeros(BLOCK, np.float32)))
        self.place += BLOCK

    @property
    def late_s(self) -> float:
        """How far the stream clock is ahead of what was heard."""
        return self.stream.now() - self.place / SAMPLE_RATE


def test_a_block_that_came_late_does_not_move_the_beginning() -> None:
    talk = Listening()
    talk.hear(3.0)
    talk.hear(0.1, late_s=0.5)
    assert talk.late_s == pytest.approx(0.5)


def test_blocks_held_up_and_delivered_at_once_are_as_late_as_they_are() -> None:
    talk = Listening()
    talk.hear(8.0)
    talk.clock.advance(4.0)
    for waiting in range(40, 0, -1):
        talk.deliver()
        assert talk.late_s == pytest.approx((waiting - 1) * BLOCK_S)


def test_after_a_pause_of_the_source_the_clock_goes_back_by_it_within_ten_seconds() -> None:
    talk = Listening()
    talk.hear(20.0)
    talk.clock.advance(60.0)
    talk.hear(0.1)
    assert talk.late_s == pytest.approx(60.0)
    talk.hear(10.0)
    assert talk.late_s == pytest.approx(0.0)


def test_it_is_never_behind_what_was_heard() -> None:
    talk = Listening()
    for late_s in (0.0, 3.0, 0.2, 30.0, 0.0):
        talk.hear(4.0, late_s=late_s)
        assert talk.late_s >= -1e-9


def test_at_full_speed_the_first_block_tells_and_no_other() -> None:
    talk = Listening(live=False)
    talk.deliver()
    talk.clock.advance(7.0)
    talk.deliver()
    assert talk.stream.now() == pytest.approx(7.0)
