"""The ladder walks down by request and by time limit; the signal wakes a wait."""

from __future__ import annotations

import threading
from functools import partial

from decalage.flow.stopping import Ladder, Step, StopSignal
from decalage.testing import ManualClock


def test_a_stop_ends_a_wait_before_its_time() -> None:
    clock, stop = ManualClock(), StopSignal()
    outcome: list[bool] = []
    thread = threading.Thread(target=lambda: outcome.append(stop.wait_until(clock, 100.0)))
    thread.start()
    clock.until_waiting(1)
    stop.set()
    thread.join(30)
    assert outcome == [True]


def test_a_wait_ends_at_its_time() -> None:
    clock, stop = ManualClock(), StopSignal()
    outcome: list[bool] = []
    thread = threading.Thread(target=lambda: outcome.append(stop.wait_until(clock, 100.0)))
    thread.start()
    clock.until_waiting(1)
    clock.advance(99.0)
    clock.until_waiting(1)
    assert outcome == []
    clock.advance(1.0)
    thread.join(30)
    assert outcome == [False]


def _ladder(limits: list[float]) -> tuple[Ladder, list[str], threading.Semaphore]:
    taken: list[str] = []
    told = threading.Semaphore(0)

    def step(name: str) -> None:
        taken.append(name)
        told.release()

    steps = [Step(name, partial(step, name), limit) for name, limit in zip("abc", limits, strict=True)]
    return Ladder(steps), taken, told


def test_one_request_takes_the_first_step_only() -> None:
    ladder, taken, told = _ladder([100, 100, 100])
    with ladder:
        ladder.descend()
        assert told.acquire(timeout=30)
    assert taken == ["a"]


def test_a_second_request_goes_straight_to_the_last_step() -> None:
    ladder, taken, told = _ladder([100, 100, 100])
    with ladder:
        ladder.descend()
        assert told.acquire(timeout=30)
        ladder.descend()
        assert told.acquire(timeout=30)
    assert taken == ["a", "c"]


def test_a_step_without_effect_in_its_time_is_followed_by_the_next() -> None:
    ladder, taken, told = _ladder([0, 0, 0])
    with ladder:
        ladder.descend()
        for _ in range(3):
            assert told.acquire(timeout=30)
    assert taken == ["a", "b", "c"]


def test_without_a_request_no_step_is_taken() -> None:
    ladder, taken, _ = _ladder([0, 0, 0])
    with ladder:
        pass
    assert taken == []
