"""A process that answers calls one after the other, and its handle in the process that owns it.

::

    owner                                      child
    Child(make, …)  ── spawn ────────────────▶ service = make(…)
    ready()         ◀── None or an error ────
    call("m", …)    ── ("m", …) ─────────────▶ service.m(…)
                    ◀── result, start, end ───

The end of either process is the end of the pipe: a child whose owner is gone ends, and an owner
whose child is gone gets ``WorkerLostError``. Sound never travels on the pipe (``sound_block``).
"""

from __future__ import annotations

import atexit
import errno
import logging
import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from decalage.errors import EngineError, one_line
from decalage.runtimes.calls import RemoteCall, WorkerLostError, reason
from decalage.runtimes.deadlines import START_LIMIT_S

logger = logging.getLogger(__name__)

END_LIMIT_S = 5.0
"""A killed process is gone in milliseconds; one that is not by then is left to the system."""

_GRACE_S = 2.0
"""A child whose owner is gone has this long to end by itself."""

_OWNERS_SIGNALS = (signal.SIGINT, signal.SIGTERM)

_GUARD_HINT = "a script that starts processes needs: if __name__ == '__main__':"


def spawn(name: str, main: Callable[..., None], *args: Any) -> tuple[BaseProcess, Connection]:
    """Start ``main(connection, *args)`` in a fresh interpreter; the process and our end of its pipe."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    level = logging.getLogger().getEffectiveLevel()
    process = context.Process(
        target=_begin, args=(main, level, theirs, *args), name=f"decalage-{name}", daemon=True
    )
    try:
        with _signals_held():
            process.start()
    except BaseException:  # a signal that was held comes here, when the process is there
        ours.close()
        if process.pid is not None:
            end(process)
            gone(process)
        raise
    finally:
        theirs.close()  # so that the end of the child is the end of the pipe
    return process, ours


@contextmanager
def _signals_held() -> Iterator[None]:
    """A process started here cannot be ended by Ctrl-C before it is told to ignore it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield  # Windows
        return
    resource_tracker.ensure_running()  # its start lets go of held signals
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _OWNERS_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def heard(process: BaseProcess, connection: Connection, timeout_s: float | None = None) -> bool:
    """Wait for a word of ``process``; False when there is none in time, or none to come."""
    ready = wait([connection, process.sentinel], timeout_s)
    if process.sentinel in ready:
        process.join(END_LIMIT_S)
    try:
        return connection.poll(0)
    except OSError:
        return False


def sendable(error: BaseException) -> BaseException:
    """``error``, or what it says where it does not survive the way to another process."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    except Exception:
        return EngineError(reason(error))
    return error


class Child:
    """A service in a process of its own. ``call`` belongs to one thread at a time, ``close`` to any."""

    def __init__(self, name: str, make: Callable[..., object], *args: object) -> None:
        """Start ``make(*args)``, both picklable; ``ready`` tells when it is there."""
        self.name = name
        self._make = make
        self._args = args
        self.pid = 0
        """The process now in service, or the last that was."""
        self._lock = threading.Lock()
        self._turn = 0
        self._closed = False
        self._lost: str | None = None
        self._answered: list[RemoteCall] = []
        # Closed, not killed: a worker that is still at work must not start another.
        atexit.register(self.close)
        self._start()

    def __repr__(self) -> str:
        return f"<Child {self.name} {self.pid}>"

    def _start(self) -> None:
        self._process, self._connection = spawn(self.name, _serve, self._make, *self._args)
        self.pid = self._process.pid or 0

    def ready(self) -> None:
        """Wait until the service is made. Raises what making it raised, ``WorkerLostError`` if it died."""
        told = f"ended while it started; {_GUARD_HINT}"
        if not heard(self._process, self._connection, START_LIMIT_S):
            if self._process.is_alive():
                with self._lock:
                    self._kill(f"not ready within {START_LIMIT_S:g} s")
            raise self._loss(told)
        error = self._receive(told)
        if error is not None:
            raise error

    def call(self, method: str, *args: object) -> Any:
        """``method(*args)`` of the service. Raises what it raises, ``WorkerLostError`` when it is gone.

        So it does where the service has no memory left.
        """
        process, began = self.pid, time.monotonic()
        try:
            if not self._process.is_alive():
                raise self._loss("is gone", begun=False)
            self._connection.send((method, args))
            result, failed, start, end = self._receive("ended during a call")
        except WorkerLostError:
            self._answered.append(RemoteCall(process, began, time.monotonic(), 0.0))
            raise
        except OSError as error:
            raise self._loss("is gone", begun=False) from error
        ipc_s = time.monotonic() - began - (end - start)
        self._answered.append(RemoteCall(process, start, end, max(0.0, ipc_s)))
        if _of_memory(result):  # a fresh process begins with little
            raise self._loss(f"has no memory left: {one_line(result)}")
        if failed:
            raise result
        return result

    def answered(self) -> list[RemoteCall]:
        """The calls since this was asked last, lost ones too; for the thread that calls."""
        calls, self._answered = self._answered, []
        return calls

    @contextmanager
    def turn(self) -> Iterator[Callable[[str], None]]:
        """A stretch of calls. What it gives ends the process, but not once the stretch is over."""
        with self._lock:
            self._turn += 1
            mine = self._turn

        def end(why: str) -> None:
            with self._lock:
                if self._turn == mine:
                    self._kill(why)

        try:
            yield end
        finally:
            with self._lock:
                self._turn += 1

    def restart(self) -> None:
        """A fresh process in place of the one that is gone. Raises as ``ready``, also after ``close``."""
        with self._lock:
            if self._closed:
                raise WorkerLostError(f"{self.name} is closed")
            self._bury()
            self._lost = None
            self._start()
        self.ready()

    def close(self) -> None:
        """End it for good, without waiting. Idempotent."""
        with self._lock:
            self._closed = True
            self._kill("closed")
        atexit.unregister(self.close)

    def bury(self) -> None:
        """After ``close``, when no thread is in ``call`` any more: let go of pipe and process."""
        with self._lock:
            self._bury()

    def _kill(self, why: str) -> None:
        """End the process now, in the middle of a call if need be; ``why`` is what that call says."""
        self._lost = self._lost or why
        if self.pid:
            end(self._process)

    def _bury(self) -> None:
        end(self._process)
        gone(self._process)
        self._connection.close()

    def _receive(self, what: str) -> Any:
        try:
            return self._connection.recv()
        except (EOFError, OSError) as error:
            raise self._loss(what) from error

    def _loss(self, what: str, *, begun: bool = True) -> WorkerLostError:
        return WorkerLostError(self._lost or f"the {self.name} process {what}", begun=begun)


def _of_memory(result: object) -> bool:
    """Whether a call has failed for want of memory."""
    refused = isinstance(result, OSError) and result.errno == errno.ENOMEM  # to map a block
    return refused or isinstance(result, MemoryError)


def end(process: BaseProcess) -> None:
    """Kill ``process``, if it is not let go of."""
    with suppress(ValueError):
        process.kill()


def gone(process: BaseProcess) -> None:
    """Wait for the end of a killed ``process`` and let go of it."""
    with suppress(ValueError):  # it has been let go of
        process.join(END_LIMIT_S)
        if process.is_alive():
            logger.warning("%s (%s) does not end", process.name, process.pid)
            return
        process.close()


def _begin(main: Callable[..., None], level: int, *args: Any) -> None:
    """First thing in a child: stopping is the owner's business, told by the end of the pipe."""
    for number in _OWNERS_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _OWNERS_SIGNALS)
    threading.Thread(target=_outlive_nobody, name="owner", daemon=True).start()
    logging.basicConfig(level=level, format="%(levelname)s %(processName)s %(name)s: %(message)s")
    main(*args)


def _outlive_nobody() -> None:
    """End this process when its owner is gone and it has not ended by itself, in a call that hangs."""
    owner = multiprocessing.parent_process()
    assert owner is not None  # noqa: S101 - a child
    wait([owner.sentinel])
    threading.Event().wait(_GRACE_S)
    os._exit(1)


def _serve(connection: Connection, make: Callable[..., object], *args: object) -> None:
    """Make the service and answer calls until the owner lets go of the pipe."""
    told: BaseException | None = None
    try:
        service = make(*args)
    except BaseException as error:
        told = sendable(error if isinstance(error, Exception) else EngineError(reason(error)))
    try:
        connection.send(told)
        if told is not None:
            return
        while True:
            method, given = connection.recv()
            start, failed = time.monotonic(), False
            try:
                result = getattr(service, method)(*given)
            except Exception as error:
                result, failed = sendable(error), True
            connection.send((result, failed, start, time.monotonic()))
    except (EOFError, OSError):
        return
