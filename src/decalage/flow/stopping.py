"""Stopping: a signal that wakes whoever waits, and a ladder of steps with a time for each."""

from __future__ import annotations

import logging
import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from decalage.clock import Clock

logger = logging.getLogger(__name__)


class StopSignal:
    """Set once, from any thread; a wait on it ends at a time on a clock or when it is set."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._set = False

    def __repr__(self) -> str:
        return f"<StopSignal {'set' if self._set else 'clear'}>"

    @property
    def is_set(self) -> bool:
        """Whether to stop."""
        return self._set

    def set(self) -> None:
        """Wake all who wait. Idempotent."""
        with self._condition:
            self._set = True
            self._condition.notify_all()

    def wait_until(self, clock: Clock, until: float) -> bool:
        """Wait until ``clock`` shows ``until`` seconds; True if stopped before."""
        with self._condition:
            while not self._set and clock.now() < until:
                clock.wait(self._condition, until)
            return self._set


@dataclass(frozen=True, slots=True)
class Step:
    """One rung: what is done, and how long the next rung waits for it to have its effect."""

    name: str
    action: Callable[[], None]
    limit_s: float


class Ladder:
    """Stops something in steps; safe to ask from a signal handler.

    ``descend()`` once: the first step, and each next one when the limit of the one before it has
    passed. ``descend()`` again: straight to the last. ``close()``: it has stopped, no further step.
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = list(steps)
        # SimpleQueue.put is reentrant, so a signal handler may call it; one item per request.
        self._requests: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Ladder:
        self._thread = threading.Thread(target=self._run, name="ladder", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def descend(self) -> None:
        """Begin to stop, or hurry."""
        self._requests.put(True)

    def close(self) -> None:
        """End the waiting thread. Idempotent."""
        self._requests.put(False)
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        """Wait for a request without limit, then at each step for the next one up to its limit."""
        limit_s: float | None = None
        steps = deque(self._steps)
        while steps:
            try:
                go_on = self._requests.get(timeout=limit_s)
            except queue.Empty:
                logger.warning("not stopped after %.1f s; next: %s", limit_s, steps[0].name)
            else:
                if not go_on:
                    return
                while limit_s is not None and len(steps) > 1:
                    steps.popleft()
            step = steps.popleft()
            logger.info("stopping: %s", step.name)
            step.action()
            limit_s = step.limit_s
