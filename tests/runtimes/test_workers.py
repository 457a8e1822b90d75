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
    given_up, told = threading.Event(), list[float]()
    pool = WorkerPool("p", 1, clock=clock)

    def give_up(seconds: float) -> None:
        told.append(seconds)
        given_up.set()

    def hang() -> None:
        with pool.deadline(10, give_up):
            gate.pass_through()

    late = pool.submit(hang)
    gate.wait_inside(1)
    clock.advance(9)
    assert not given_up.is_set()
    clock.advance(2)
    assert given_up.wait(30)
    assert told == [10]
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
        with pool.deadline(10, lambda _: called.append("given up")):
            return "done"

    assert pool.submit(quick).result(30) == "done"
    clock.advance(100)
    pool.shutdown()
    assert called == []


def test_time_begun_anew_is_that_of_the_call_that_follows() -> None:
    clock, gate = ManualClock(), Gate()
    given_up: list[float] = []
    pool = WorkerPool("p", 1, clock=clock)

    def two_calls() -> str:
        with pool.deadline(10, given_up.append) as renew:
            gate.pass_through()
            renew(20)
            gate.pass_through()
            return "done"

    done = pool.submit(two_calls)
    gate.wait_inside(1)
    clock.advance(9)
    gate.admit()
    gate.wait_arrived(2)
    clock.advance(19)
    gate.open()
    assert done.result(30) == "done"
    pool.shutdown()
    assert given_up == []


def test_who_was_given_up_begins_no_further_call() -> None:
    clock, gate = ManualClock(), Gate()
    given_up, begun = threading.Event(), list[str]()
    pool = WorkerPool("p", 1, clock=clock)

    def two_calls() -> None:
        with pool.deadline(10, lambda _: given_up.set()) as renew:
            gate.pass_through()
            renew(10)
            begun.append("the second")

    late = pool.submit(two_calls)
    gate.wait_inside(1)
    clock.advance(11)
    assert given_up.wait(30)
    gate.open()
    assert isinstance(late.exception(30), WorkerAbandonedError)
    pool.shutdown()
    assert begun == []


def test_time_in_which_nothing_ran_is_held_against_no_call() -> None:
    """As when the machine slept, on systems whose clock runs on, or the program was stopped."""
    clock, gate = ManualClock(), Gate()
    given_up: list[float] = []
    told = threading.Event()
    pool = WorkerPool("p", 2, clock=clock)

    def give_up(seconds: float) -> None:
        given_up.append(seconds)
        told.set()

    def work(limit_s: float) -> str:
        with pool.deadline(limit_s, give_up):
            gate.pass_through()
            return "done"

    calls = [pool.submit(work, limit_s) for limit_s in (10, 60)]
    gate.wait_inside(2)
    clock.until_waiting(1)
    clock.advance(3600)
    clock.until_waiting(1)  # the watcher has looked, and waits again
    clock.advance(9)
    assert given_up == []
    clock.advance(2)
    assert told.wait(30), "a call that hangs is given up all the same, one deadline later"
    assert given_up == [10]
    gate.open()
    assert isinstance(calls[0].exception(30), WorkerAbandonedError)
    assert calls[1].result(30) == "done"
    pool.shutdown()


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
