"""A clock that stands still until a test moves it."""

from __future__ import annotations

import threading

from decalage.clock import Waitable


class ManualClock:
    """Implements ``decalage.clock.Clock``; time moves only by ``advance``."""

    def __init__(self, start: float = 0.0) -> None:
        self._now = start
        self._changed = threading.Condition()
        self._waiting: dict[int, tuple[Waitable, float | None]] = {}

    def __repr__(self) -> str:
        return f"<ManualClock {self._now:.6g} s, {len(self._waiting)} waiting>"

    def now(self) -> float:
        with self._changed:
            return self._now

    def wait(self, condition: Waitable, until: float | None) -> None:
        me = threading.get_ident()
        with self._changed:
            if until is not None and until <= self._now:
                return
            self._waiting[me] = (condition, until)
            self._changed.notify_all()
        condition.wait(None)
        with self._changed:
            self._waiting.pop(me, None)

    @property
    def next_due(self) -> float | None:
        """The earliest time that somebody waits for; None while all wait to be woken."""
        with self._changed:
            return min((until for _, until in self._waiting.values() if until is not None), default=None)

    def advance(self, seconds: float) -> None:
        """Move time on and wake every waiter whose time has come."""
        with self._changed:
            self._now += seconds
            due = {
                thread: condition
                for thread, (condition, until) in self._waiting.items()
                if until is not None and until <= self._now
            }
            for thread in due:
                del self._waiting[thread]  # woken: it waits again only when it says so
        for condition in due.values():
            with condition:
                condition.notify_all()

    def until_waiting(self, count: int, timeout_s: float = 30.0) -> None:
        """Wait until ``count`` threads are inside ``wait``. Raises ``TimeoutError``."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._waiting) >= count, timeout_s):
                raise TimeoutError(f"only {len(self._waiting)} of {count} threads are waiting")
