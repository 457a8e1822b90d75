"""Ray, as far as a runtime needs it; the only module that imports it.

::

    connect() ─▶ Connection, one a program ── ray.init on a thread of its own, the keeper
                    nodes()   the machines
                    actor()   a process on one of them, that makes a service
                    stored()  sound in the object store, for as long as a call lasts
"""

from __future__ import annotations

import atexit
import ctypes
import logging
import os
import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from decalage.audio import Samples
from decalage.errors import EngineError, MissingPartError, UnreachableError, UsageError, one_line
from decalage.runtimes.ray_actor import Actor, Needs, Node, last_line
from decalage.runtimes.ray_services import Served

_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is sent to anybody
    "RAY_SCHEDULER_EVENTS": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # else `uv run` would install a Python for each actor
}
"""Read by Ray when it is imported."""
_STORE_BYTES = 200_000_000
"""Of the object store of a cluster started here: an hour of sound, of which seconds are in it at a time."""
_REACH_S = 5.0
"""An address that takes no connection by then takes none."""
_JOIN_S = 60.0
"""A cluster that takes longer to join is none."""
_SWEEPS, _SWEEP_S = 10, 0.1
"""Times that what it leaves behind is removed, and seconds from one to the next."""
_ACTION_BYTES = 1024
"""Room for a ``struct sigaction``, which has 152 on Linux."""
_ADDRESSES = "the head's host:port, or auto for the cluster that this machine is part of"


class Connection:
    """This program as a driver of a cluster. ``connect`` makes it, ``release`` gives it back."""

    def __init__(self, ray: Any, address: str | None) -> None:
        self._ray = ray
        self.address = address
        self.local = address is None
        """Whether the cluster is this program's own: no other has a share of it."""
        self.users = 0
        self._ending = threading.Event()
        self._joined = threading.Event()
        self._error: Exception | None = None
        self._keeper: threading.Thread | None = None
        self._folder: Path | None = None
        if ray.is_initialized():
            self.local = False  # the program's own business: taken as it is, and left as it is
            return
        self._keeper = threading.Thread(target=self._keep, name="ray-keeper", daemon=True)
        self._keeper.start()
        try:
            self._wait()
        except BaseException:
            self._ending.set()
            raise

    def _wait(self) -> None:
        limit_s = None if self.local else _JOIN_S
        if not self._joined.wait(limit_s):
            raise UnreachableError(f"{self.address} did not let this program join within {_JOIN_S:g} s")
        if self._error is not None:
            raise self._error

    def _keep(self) -> None:
        """Be connected from now until ``close``.

        The processes that ``ray.init`` starts end with the thread that called it, so that one waits;
        and called on the main thread it would take the handler of SIGTERM away.
        """
        try:
            with _sigterm_kept():
                self._init()
        except Exception as error:
            self._error = self._told(error)
            self._joined.set()
            self._clear()
            return
        self._joined.set()
        self._ending.wait()
        self._ray.shutdown()
        self._clear()

    def _init(self) -> None:
        logging.getLogger("ray").setLevel(logging.ERROR)
        # What happens to nodes would be printed among the captions, on standard output.
        self._ray._private.worker._worker_logs_enabled = False
        alike = {"log_to_driver": False, "logging_level": logging.ERROR}
        if self.address is not None:
            self._ray.init(address=self.address, **alike)
            return
        short = "/tmp" if os.name == "posix" else None  # noqa: S108 - the names of its sockets have to be short
        self._folder = Path(tempfile.mkdtemp(prefix="decalage-ray-", dir=short))
        self._ray.init(
            address="local",
            include_dashboard=False,
            object_store_memory=_STORE_BYTES,
            _temp_dir=str(self._folder),
            _node_ip_address="127.0.0.1",
            _system_config={"worker_niceness": 0},  # as other runtimes; Ray would have them yield to anybody
            **alike,
        )

    def _told(self, error: Exception) -> Exception:
        told = one_line(error)
        if "ersion mismatch" in told:
            return UsageError(f"this program and the cluster at {self.address} do not fit: {told}")
        if self.address is not None:
            why = f"{told}; if it wants a token: RAY_AUTH_MODE=token, docs/cluster.md"
            return UnreachableError(f"no way into the Ray cluster at {self.address}: {why}")
        return MissingPartError(f"Ray does not start here: {type(error).__name__}: {told}")

    def _clear(self) -> None:
        """Remove what Ray has written; processes of it that are still ending write on for a moment."""
        pause = threading.Event()
        for _ in range(_SWEEPS):
            if self._folder is None or not self._folder.exists():
                return
            shutil.rmtree(self._folder, ignore_errors=True)
            pause.wait(_SWEEP_S)

    def nodes(self) -> list[Node]:
        """The machines that are there now."""
        return [
            Node(
                each["NodeID"],
                each["NodeManagerHostname"],
                each["Resources"].get("CPU", 0.0),
                each["Resources"].get("GPU", 0.0),
            )
            for each in self._ray.nodes()
            if each["Alive"]
        ]

    def actor(self, name: str, node: Node, needs: Needs) -> Actor:
        """A process on ``node``, as soon as it has room; nothing is loaded there. Returns at once."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy  # noqa: PLC0415 - an extra

        handle = (
            self._ray.remote(Served)
            .options(
                num_cpus=needs.cpus,
                num_gpus=needs.gpus,
                max_concurrency=needs.calls,
                max_restarts=0,  # another is made here, wherever there is room
                scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False),
            )
            .remote()
        )
        return Actor(self._ray, handle, f"{name} on {node.host}")

    @contextmanager
    def stored(self, samples: Samples) -> Iterator[object]:
        """``samples`` in the object store: an actor reads them where they lie. Gone at the end."""
        try:
            ref = self._ray.put(samples)
        except self._ray.exceptions.RayError as error:
            raise EngineError(f"Ray's object store did not take the sound: {last_line(error)}") from error
        yield ref

    def close(self) -> None:
        """Leave the cluster; one that was started here ends. Idempotent."""
        atexit.unregister(self.close)
        self._ending.set()
        if self._keeper is not None:
            self._keeper.join()


_open: dict[str | None, Connection] = {}
"""Address → the connection of this program: one at a time."""
_opening = threading.Lock()


def connect(address: str | None) -> Connection:
    """Join the cluster at ``address``, or start one of this machine alone. ``release`` it afterwards.

    Where the program has Ray running already, that is taken. Raises ``MissingPartError`` without Ray,
    ``UnreachableError`` where there is no cluster, ``UsageError`` where it is not for this program.
    """
    ray = library(address)
    with _opening:
        connection = _open.get(address)
        if connection is None:
            if _open:
                other = next(iter(_open)) or "one of this machine alone"
                raise UsageError(
                    f"this program is part of another Ray cluster, {other}; close that runtime first"
                )
            connection = Connection(ray, address)
            atexit.register(connection.close)
            _open[address] = connection
        connection.users += 1
        return connection


def release(connection: Connection) -> None:
    """It is not used any more by one who asked for it."""
    with _opening:
        connection.users -= 1
        if connection.users == 0:
            _open.pop(connection.address, None)
            connection.close()


def library(address: str | None) -> Any:
    """Ray. Nothing is started or joined, but there is something at ``address``. Raises as ``connect``."""
    ray = _imported()
    if address is not None:
        _check(address)
    return ray


def _imported() -> Any:
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    records = logging.getLogRecordFactory()
    try:
        import ray  # noqa: PLC0415 - an extra, and a second to import
    except ImportError as error:
        told = f"Ray is not installed: pip install '.[ray]' in the clone ({error})"
        raise MissingPartError(told) from error
    logging.setLogRecordFactory(records)  # Ray's would put a time of its own into each line of our log
    return ray


def _check(address: str) -> None:
    """Refuse what Ray would take minutes to refuse, or end the program for."""
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if "://" in address or not host or not port.isdigit():
        raise UsageError(f"--address {address}: give {_ADDRESSES}; a driver runs on a node of its cluster")
    try:
        socket.create_connection((host, int(port)), timeout=_REACH_S).close()
    except OSError as error:
        told = f"no Ray cluster at {address} ({one_line(error)}); one begins with: ray start --head"
        raise UnreachableError(told) from error


@contextmanager
def _sigterm_kept() -> Iterator[None]:
    """The system's handler of SIGTERM is the same afterwards, by whichever thread.

    Ray's library puts one of its own in the place of Python's: it prints a stack and aborts.
    """
    if os.name != "posix":
        yield
        return
    system = ctypes.CDLL(None)
    action = ctypes.create_string_buffer(_ACTION_BYTES)
    system.sigaction(signal.SIGTERM, None, action)
    try:
        yield
    finally:
        system.sigaction(signal.SIGTERM, action, None)
