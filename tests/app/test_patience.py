"""Who takes nothing is cut off, but not where nobody could have taken anything."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from decalage.app.server.patience import Stall


class Timer:
    def __init__(self, due: float, look: Callable[[], None]) -> None:
        self.due, self.look = due, look

    def when(self) -> float:
        return self.due

    def cancel(self) -> None: ...


class Loop:
    """An event loop that turns when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[Timer] = []

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, look: Callable[[], None]) -> Timer:
        self.timers.append(Timer(self.now + delay, look))
        return self.timers[-1]

    def turn(self, late: float = 0.0) -> None:
        """The next timer, so much later than it was due."""
        timer = self.timers.pop(0)
        self.now = timer.due + late
        timer.look()


class Transport:
    """A client that has so many bytes to take."""

    def __init__(self) -> None:
        self.left = 1_000
        self.aborted = False

    def get_write_buffer_size(self) -> int:
        return self.left

    def is_closing(self) -> bool:
        return False

    def abort(self) -> None:
        self.aborted = True


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Loop:
    made = Loop()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: made)
    return made


def stalled() -> tuple[Stall, Transport]:
    transport = Transport()
    stall = Stall(cast("asyncio.Transport", cast("Any", transport)), 1.0)
    stall.pause()
    return stall, transport


def test_who_takes_nothing_from_one_look_to_the_next_is_cut_off(loop: Loop) -> None:
    _, transport = stalled()
    loop.turn()
    assert not transport.aborted
    loop.turn()
    assert transport.aborted


def test_who_takes_a_little_is_waited_for(loop: Loop) -> None:
    _, transport = stalled()
    for _ in range(5):
        loop.turn()
        transport.left -= 1
    assert not transport.aborted


def test_a_loop_that_stood_still_is_held_against_nobody(loop: Loop) -> None:
    _, transport = stalled()
    loop.turn()
    loop.turn(late=3600.0)
    assert not transport.aborted
    loop.turn()
    assert transport.aborted, "one who takes nothing is cut off all the same"
