"""Time that tests can hold still."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Protocol


class Waitable(Protocol):
    """A held condition variable: ``threading.Condition`` is one."""

    def wait(self, timeout: float | None = None) -> bool:
        """Release, sleep until notified or ``timeout`` seconds passed, take again."""
        ...

    def notify_all(self) -> None:
        """Wake all who wait; the caller holds it."""
        ...

    def __enter__(self) -> bool: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> bool | None: ...


class Clock(Protocol):
    """Monotone seconds with an arbitrary origin, and waiting measured in them."""

    def now(self) -> float:
        """Seconds."""
        ...

    def wait(self, condition: Waitable, until: float | None) -> None:
        """Wait on ``condition`` (held by the caller) until notified or until ``until``.

        May wake early; the caller checks its own predicate in a loop.
        """
        ...


class SystemClock:
    """The machine's monotonic clock. While it sleeps this stands still, but on Windows runs on."""

    def now(self) -> float:
        return time.monotonic()

    def wait(self, condition: Waitable, until: float | None) -> None:
        condition.wait(None if until is None else max(0.0, until - self.now()))


class OutsideClock(SystemClock):
    """Runs on while the machine sleeps: for what goes on without us, as a speaker does."""

    def now(self) -> float:
        # Linux: since the machine started. macOS: its CLOCK_MONOTONIC, which ``time.monotonic`` is not.
        return time.monotonic() if _RUNS_ON is None else time.clock_gettime(_RUNS_ON)


_RUNS_ON: int | None = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))
