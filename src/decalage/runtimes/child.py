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
import logging
import multiprocessing
import pickle
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from decalage.errors import EngineError
from decalage.runtimes.calls import RemoteCall, WorkerLostError, reason

logger = logging.getLogger(__name__)

START_LIMIT_S = 300.0
"""A child that has not loaded its model by then will not."""

_GUARD_HINT = "a script that starts processes needs: if __name__ == '__main__':"


def spawn(name: str, main: Callable[..., None], *args: Any) -> tuple[BaseProcess, Connection]:
    """Start ``main(connection, *args)`` in a fresh interpreter; the process and our end of its pipe."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    level = logging.getLogger().getEffectiveLevel()
    process = context.Process(
        target=_begin, args=(main, level, theirs, *args), name=f"decalage-{name}", daemon=True
    )
    process.start()
    theirs.close()  # so that the end of the child is the end of the pipe
    return process, ours


def sendable(error: BaseException) -> BaseException:
    """``error``, or what it says where it does not survive the way to another process."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    except Exception:
        return EngineError(reason(error))
    return error


class Child:
    """A service in a process of its own. ``call`` belongs to one thread at a time, ``kill`` to any."""

    def __init__(self, name: str, make: Callable[..., object], *args: object) -> None:
        """Start ``make(*args)``, both picklable; ``ready`` tells when it is there."""
        self.name = name
        self._make = make
        self._args = args
        self._lock = threading.Lock()
        self._closed = False
        self._lost: str | None = None
        self.last_call: RemoteCall | None = None
        self._process, self._connection = spawn(name, _serve, make, *args)
        atexit.register(self.kill, "the program ends")

    def __repr__(self) -> str:
        return f"<Child {self.name} {self._process.pid}>"

    @property
    def pid(self) -> int:
        """The process now in service."""
        return self._process.pid or 0

    def ready(self) -> None:
        """Wait until the service is made. Raises what making it raised, ``WorkerLostError`` if it died."""
        if not self._connection.poll(START_LIMIT_S):
            self.kill(f"not ready within {START_LIMIT_S:g} s")
        error = self._receive(f"ended while it started; {_GUARD_HINT}")
        if error is not None:
            raise error

    def call(self, method: str, *args: object) -> Any:
        """``method(*args)`` of the service. Raises what it raises, ``WorkerLostError`` when it is gone."""
        self.last_call = None
        began = time.monotonic()
        try:
            self._connection.send((method, args))
        except OSError as error:
            raise self._loss("is gone") from error
        result, failed, start, end = self._receive("ended during a call")
        ipc_s = time.monotonic() - began - (end - start)
        self.last_call = RemoteCall(self.pid, start, end, max(0.0, ipc_s))
        if failed:
            raise result
        return result

    def kill(self, why: str) -> None:
        """End the process now, in the middle of a call if need be; ``why`` is what that call says."""
        self._lost = self._lost or why
        with suppress(ValueError):  # it has been let go of
            self._process.kill()

    def restart(self) -> None:
        """A fresh process in place of the one that is gone. Raises as ``ready``, also after ``close``."""
        with self._lock:
            if self._closed:
                raise WorkerLostError(f"{self.name} is closed")
            self._bury()
            self._lost = None
            self._process, self._connection = spawn(self.name, _serve, self._make, *self._args)
        self.ready()

    def close(self) -> None:
        """End it for good. Idempotent."""
        with self._lock:
            self._closed = True
            self.kill("closed")
            self._process.join()
            atexit.unregister(self.kill)

    def bury(self) -> None:
        """After ``close``, when no thread is in ``call`` any more: let go of pipe and process."""
        with self._lock:
            self._bury()

    def _bury(self) -> None:
        self._process.kill()
        self._process.join()
        self._connection.close()
        self._process.close()

    def _receive(self, what: str) -> Any:
        try:
            return self._connection.recv()
        except (EOFError, OSError) as error:
            raise self._loss(what) from error

    def _loss(self, what: str) -> WorkerLostError:
        return WorkerLostError(self._lost or f"the {self.name} process {what}")


def _begin(main: Callable[..., None], level: int, *args: Any) -> None:
    """First thing in a child: stopping is the owner's business, told by the end of the pipe."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    logging.basicConfig(level=level, format="%(levelname)s %(processName)s %(name)s: %(message)s")
    main(*args)


def _serve(connection: Connection, make: Callable[..., object], *args: object) -> None:
    """Make the service and answer calls until the owner lets go of the pipe."""
    try:
        service = make(*args)
    except BaseException as error:
        connection.send(sendable(error))
        return
    try:
        connection.send(None)
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
