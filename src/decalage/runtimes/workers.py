"""A pool of threads whose members can be given up.

::

    submit() ──▶ queue ──▶ worker … worker     each engine call inside ``deadline()``
                              │
                  watcher ────┘  past its deadline: the worker is abandoned, its replacement
                                 starts, and ``give_up`` answers for the work it held

Time in which nothing ran does not count: a machine that slept or a program that was stopped would
else give up every call that was under way.

``concurrent.futures.ThreadPoolExecutor`` has the same interface, but its threads are joined when the
interpreter exits, so one native call that never returns would keep the program from ending.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, ParamSpec, TypeVar

from decalage.clock import Clock, SystemClock
from decalage.errors import DecalageError, RuntimeClosedError

logger = logging.getLogger(__name__)

_PUNCTUAL_S = 2.0
"""A watcher that wakes so much later than it should was not running, nor was anybody else."""

P = ParamSpec("P")
T = TypeVar("T")


class WorkerAbandonedError(DecalageError):
    """Raised in a worker whose engine call returned after it had been given up: drop the result."""


@dataclass(slots=True, eq=False)
class _Worker:
    thread: threading.Thread
    limit_s: float = 0.0
    deadline: float | None = None
    give_up: Callable[[float], None] | None = None
    stays: bool = False
    abandoned: bool = False


class WorkerPool(Executor):
    """``size`` daemon threads, started as they are needed; their names begin with ``name``."""

    def __init__(self, name: str, size: int, *, clock: Clock | None = None) -> None:
        self._name = name
        self._size = size
        self._clock = clock or SystemClock()
        self._condition = threading.Condition()
        # Bounded by the callers: one ticket a stream, or one a job that was scheduled.
        self._queue: deque[tuple[Future[Any], Callable[[], None]]] = deque()
        self._workers: list[_Worker] = []
        self._watcher: threading.Thread | None = None
        self._idle = 0
        self._started = 0
        self._closed = False

    def __repr__(self) -> str:
        return f"<WorkerPool {self._name} {len(self._workers)}/{self._size} queued={len(self._queue)}>"

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run ``fn(*args, **kwargs)`` on a worker. Raises ``RuntimeClosedError`` after shutdown."""
        future: Future[T] = Future()

        def work() -> None:
            if future.set_running_or_notify_cancel():
                _settle(future, lambda: fn(*args, **kwargs))

        with self._condition:
            if self._closed:
                raise RuntimeClosedError(f"the {self._name} workers are closed")
            self._queue.append((future, work))
            if len(self._queue) > self._idle and self._at_work() < self._size:
                self._start_worker()
            self._condition.notify_all()
        return future

    @contextmanager
    def deadline(
        self, seconds: float, give_up: Callable[[float], None], *, stays: bool = False
    ) -> Iterator[Callable[[float], None]]:
        """Bound an engine call made by one of this pool's workers.

        After ``seconds`` the worker is replaced and ``give_up(seconds)`` runs once, on the watcher's
        thread. When the call returns all the same, ``WorkerAbandonedError`` is raised in its worker.
        A worker that ``stays`` is not replaced: its ``give_up`` makes the call return. What this gives
        begins the time anew with other seconds, where one call follows another.
        """
        with self._condition:
            worker = self._current()
            worker.give_up, worker.stays = give_up, stays
            self._allow(worker, seconds)
            if self._watcher is None:
                self._watcher = threading.Thread(
                    target=self._watch, name=f"{self._name}-watcher", daemon=True
                )
                self._watcher.start()

        def renew(seconds: float) -> None:
            with self._condition:
                _raise_if_abandoned(worker)
                if worker.give_up is not None:
                    self._allow(worker, seconds)

        try:
            yield renew
        finally:
            with self._condition:
                worker.deadline = worker.give_up = None
                if self._closed:
                    self._condition.notify_all()  # the watcher stays for the last call only
                _raise_if_abandoned(worker)

    def _allow(self, worker: _Worker, seconds: float) -> None:
        worker.limit_s = seconds
        worker.deadline = self._clock.now() + seconds
        self._condition.notify_all()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more work; with ``cancel_futures`` drop what waits. ``wait`` is without limit."""
        with self._condition:
            self._closed = True
            while cancel_futures and self._queue:
                self._queue.popleft()[0].cancel()
            self._condition.notify_all()
        if wait:
            self.join(None)

    def join(self, timeout_s: float | None) -> bool:
        """Wait for the threads after ``shutdown``; False if some are still inside a call."""
        until = None if timeout_s is None else SystemClock().now() + timeout_s
        for thread in self._threads():
            thread.join(None if until is None else max(0.0, until - SystemClock().now()))
        return not any(thread.is_alive() for thread in self._threads())

    def _threads(self) -> list[threading.Thread]:
        with self._condition:
            threads = [worker.thread for worker in self._workers]
            return threads + ([self._watcher] if self._watcher is not None else [])

    @property
    def abandoned(self) -> int:
        """Workers given up whose call has not returned."""
        with self._condition:
            return sum(worker.abandoned and worker.thread.is_alive() for worker in self._workers)

    def _at_work(self) -> int:
        return sum(not worker.abandoned for worker in self._workers)

    def _current(self) -> _Worker:
        me = threading.current_thread()
        return next(worker for worker in self._workers if worker.thread is me)

    def _start_worker(self) -> None:
        number, self._started = self._started, self._started + 1
        thread = threading.Thread(target=self._loop, name=f"{self._name}-{number}", daemon=True)
        self._workers.append(_Worker(thread))
        thread.start()

    def _loop(self) -> None:
        """Take work until closed and empty, or until abandoned."""
        while True:
            with self._condition:
                worker = self._current()
                while not self._queue and not self._closed and not worker.abandoned:
                    self._idle += 1
                    self._condition.wait()
                    self._idle -= 1
                if worker.abandoned:
                    self._workers.remove(worker)
                    return
                if not self._queue:
                    return
                _, work = self._queue.popleft()
            work()

    def _watch(self) -> None:
        """Sleep until the earliest deadline of any worker; wakes when one is set or on shutdown."""
        while True:
            with self._condition:
                watched = {w: w.deadline for w in self._workers if w.deadline is not None}
                if self._closed and not watched:
                    return
                now, earliest = self._clock.now(), min(watched.values(), default=None)
                late: list[_Worker] = []
                if earliest is not None and now > earliest + _PUNCTUAL_S:
                    self._begin_anew(watched, now, now - earliest)
                else:
                    late = [worker for worker, deadline in watched.items() if deadline <= now]
                    if not late:
                        self._clock.wait(self._condition, earliest)
                callbacks = [self._abandon(worker) for worker in late]
            for give_up in callbacks:
                give_up()

    def _begin_anew(self, watched: Iterable[_Worker], now: float, late_s: float) -> None:
        """Nobody could work for a while of unknown length: every call gets its time again."""
        logger.warning("%s: nothing ran for %.0f s or more; calls under way go on", self._name, late_s)
        for worker in watched:
            worker.deadline = now + worker.limit_s

    def _abandon(self, worker: _Worker) -> Callable[[], None]:
        logger.warning("%s did not answer in time and is given up", worker.thread.name)
        give_up = worker.give_up
        assert give_up is not None  # noqa: S101 - set together with the deadline
        worker.deadline = worker.give_up = None
        worker.abandoned = not worker.stays
        if worker.abandoned and not self._closed:
            self._start_worker()
        return partial(give_up, worker.limit_s)


def _raise_if_abandoned(worker: _Worker) -> None:
    if worker.abandoned:
        raise WorkerAbandonedError(f"{worker.thread.name} was given up")


def _settle(future: Future[T], call: Callable[[], T]) -> None:
    try:
        result: Any = call()
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(result)
