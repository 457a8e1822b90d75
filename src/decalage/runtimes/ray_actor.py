"""A process somewhere in a Ray cluster, and the nodes that have one."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from decalage.errors import EngineError, one_line
from decalage.runtimes.calls import WorkerLostError
from decalage.runtimes.ray_services import version

logger = logging.getLogger(__name__)

_NEVER_RAN = "The actor never ran"
"""Behind the reason."""
_NODE_DIED = "its node has died"
"""In what Ray says of an actor; before the cluster knows it, the error is ``ActorUnavailableError``."""


@dataclass(frozen=True, slots=True)
class Node:
    """A machine of the cluster that is there."""

    id: str
    host: str
    cpus: float
    gpus: float


@dataclass(frozen=True, slots=True)
class Needs:
    """What an actor takes of its node, as Ray counts it."""

    cpus: float
    gpus: float
    calls: int
    """At a time."""


class Actor:
    """A service in a process of the cluster. Any number of threads may call it."""

    def __init__(self, ray: Any, handle: Any, name: str) -> None:
        self._ray = ray
        self._handle = handle
        self.name = name
        self.pid = 0
        self.ended: str | None = None
        """Why this program ended it."""
        self.crashed = False
        """Whether its process ended by itself, on a node that lives."""

    def __repr__(self) -> str:
        return f"<Actor {self.name} {self.pid}>"

    def load(self, make: Callable[..., object], *args: object, limit_s: float) -> None:
        """Make the service ``make(*args)`` there, within ``limit_s`` once its node has room for the process.

        Raises what that raises, ``WorkerLostError`` as ``call``.
        """
        self.pid = self._answer(self._handle.process.remote())
        try:
            error = self._answer(self._handle.load.remote(version(), make, *args), limit_s)
        except self._ray.exceptions.GetTimeoutError as late:
            raise WorkerLostError(f"{self.name} was not ready within {limit_s:g} s") from late
        if error is not None:
            raise error

    def call(self, method: str, *args: object) -> tuple[Any, float]:
        """What ``method(*args)`` of the service gives, and the seconds that it took there.

        Raises what it raises, ``WorkerLostError`` when its process or node is gone.
        """
        result, failed, seconds = self._answer(self._handle.call.remote(method, *args))
        if failed:
            raise result
        return result, seconds

    def _answer(self, ref: Any, limit_s: float | None = None) -> Any:
        errors = self._ray.exceptions
        try:
            return self._ray.get(ref, timeout=limit_s)
        except errors.GetTimeoutError:
            raise
        except errors.RayTaskError as error:  # before or after the service: a module is not there, say
            raise EngineError(f"{self.name}: {last_line(error)}") from error
        except errors.RayError as error:
            logger.debug("%s: %s", self.name, one_line(error))
            self.crashed = isinstance(error, errors.ActorDiedError) and _NODE_DIED not in str(error)
            never = isinstance(error, errors.ActorUnschedulableError)  # the node is not there any more
            told = self.ended or f"{self.name} is gone: {last_line(error)}"
            raise WorkerLostError(told, begun=not never) from error

    def kill(self, why: str) -> None:
        """End it now, in the middle of calls if need be; ``why`` is what those say. Idempotent."""
        self.ended = self.ended or why
        with suppress(self._ray.exceptions.RayError, ValueError):
            self._ray.kill(self._handle, no_restart=True)


def last_line(error: BaseException) -> str:
    """The line of a long story that says what happened."""
    lines = [line for line in str(error).splitlines() if line.strip() and not line.startswith("\t")]
    if len(lines) > 1 and lines[-1].startswith(_NEVER_RAN):
        lines.pop()
    return one_line(lines[-1]).partition(". ")[0] if lines else type(error).__name__
