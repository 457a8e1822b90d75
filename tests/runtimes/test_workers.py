"""The pool replaces a worker that does not come back, and closes without leaving threads."""

from __future__ import annotations

import threading

import pytest

from decalage.errors import RuntimeClosedError
from decalage.runtimes.workers import WorkerAbandonedError, WorkerPool
from decalage.testing import ManualClock
from decalage.testing.engines import Gate


def test_results_and_exceptions_reach_the_future() -> None:
    pool = WorkerPool("p", 2)
    assert pool.submit(divmod, 7, 3).result() == (2, 1)
    with pytest.raises(ZeroDivisionError):
        pool.submit(divmod, 1, 0).result()
    pool.shutdown()


def test_a_late_worker_is_replaced_and_its_late_return_is_an_error_in_it() -> None:
    clock, gate = ManualClock(), Gate()
    given_up = threading.Event()
    pool = WorkerPool("p", 1, clock=clock)

    def hang() -> None:
        with pool.deadline(10, given_up.set):
            gate.pass_through()

    late = pool.submit(hang)
    gate.wait_inside(1)
    clock.advance(9)
    assert not given_up.is_set()
    clock.advance(2)
    assert given_up.wait(30)
    assert pool.abandoned == 1
    assert pool.submit(lambda: "served").result(30) == "served"
    gate.open()
    assert isinstance(late.exception(30), WorkerAbandonedError)
    pool.shutdown()
    assert pool.abandoned == 0


def test_a_call_that_ends_in_time_is_not_given_up() -> None:
    clock = ManualClock()
    called: list[str] = []
    pool = WorkerPool("p", 1, clock=clock)

    def quick() -> str:
        with pool.deadline(10, lambda: called.append("given up")):
            return "done"

    assert pool.submit(quick).result(30) == "done"
    clock.advance(100)
    pool.shutdown()
    assert called == []


def test_after_shutdown_work_is_refused_and_what_waits_can_be_cancelled() -> None:
    gate = Gate()
    pool = WorkerPool("p", 1)
    running = pool.submit(gate.pass_through)
    gate.wait_inside(1)
    waiting = pool.submit(lambda: "never")
    pool.shutdown(wait=False, cancel_futures=True)
    with pytest.raises(RuntimeClosedError):
        pool.submit(lambda: None)
    assert not pool.join(0)
    gate.open()
    running.result(30)
    assert pool.join(30)
    assert waiting.cancelled()


def test_no_thread_starts_before_there_is_work() -> None:
    before = threading.active_count()
    pool = WorkerPool("p", 4)
    assert threading.active_count() == before
    pool.submit(int).result()
    assert threading.active_count() == before + 1
    pool.shutdown()
