"""What a long run holds, looked at from beside it: memory, threads, handles, children, shared memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
import psutil

_WARM_UP = 0.1
"""Of the samples: models load and buffers grow to their size in it."""
_GONE_S = 10.0
_STAYS = "translator library"
"""A thread that ends with the program, one of each (``stages.firefox``)."""
_TRACKER = "multiprocessing.resource_tracker"
"""Python's own helper beside processes that share memory; it ends with this one."""
_SHARED = "/dev/shm/"  # noqa: S108 - where the system lists shared memory, nothing is made there


@dataclass(frozen=True, slots=True)
class Look:
    """A process tree at one moment."""

    wall_s: float
    audio_s: float
    """Sound taken so far."""
    memory_mb: float
    """Proportional set size."""
    rss_mb: float
    """Resident set size, pages shared by several processes counted in each."""
    threads: int
    handles: int
    children: int
    shared: int
    """Blocks of shared memory that a process of the tree has open."""


class Watch:
    """Looks each ``every_s`` on a thread of its own, from the start of a ``with`` to its end.

    ``audio_s`` tells how much sound has been taken. Grows by a hundred bytes a look.
    """

    def __init__(self, audio_s: Callable[[], float], every_s: float = 0.5) -> None:
        self.looks: list[Look] = []
        self._audio_s = audio_s
        self._every_s = every_s
        self._process = psutil.Process()
        self._done = threading.Event()
        self._began = time.monotonic()
        self._blocks: set[str] = set()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def __enter__(self) -> Watch:
        self._began = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._done.wait(self._every_s):
            self.look()

    def look(self) -> Look:
        """One more look, now."""
        tree = [self._process, *self._process.children(recursive=True)]
        pss = rss = threads = handles = 0
        blocks: set[str] = set()
        for each in tree:
            try:
                with each.oneshot():
                    memory = each.memory_full_info()
                    threads += each.num_threads()
                    handles += each.num_fds()
                blocks |= blocks_of(each.pid)
            except (psutil.Error, OSError):  # ended since it was listed
                continue
            pss += memory.pss
            rss += memory.rss
        self._blocks |= blocks
        wall_s = time.monotonic() - self._began
        counts = (threads, handles, len(tree) - 1, len(blocks))
        found = Look(wall_s, self._audio_s(), pss / 1e6, rss / 1e6, *counts)
        self.looks.append(found)
        return found

    def left(self) -> list[str]:
        """Blocks of shared memory that were seen in the tree and are in the system still."""
        return sorted(name for name in self._blocks if Path(_SHARED, name).exists())


def blocks_of(process: int) -> set[str]:
    """Names of the blocks of shared memory that a process has mapped."""
    maps = Path(f"/proc/{process}/maps").read_text("utf-8", errors="replace")
    return {line.partition(_SHARED)[2].split()[0] for line in maps.splitlines() if _SHARED in line}


def leftovers(before: set[threading.Thread], limit_s: float = _GONE_S) -> list[str]:
    """Threads begun since ``before``, and child processes, that are there ``limit_s`` from now."""
    until = time.monotonic() + limit_s
    for thread in set(threading.enumerate()) - before:
        if thread.name != _STAYS:
            thread.join(max(0.0, until - time.monotonic()))
    threads = [thread.name for thread in set(threading.enumerate()) - before if thread.name != _STAYS]
    _, alive = psutil.wait_procs(children(), max(0.0, until - time.monotonic()))
    return threads + [f"process {child.pid}" for child in alive]


def children() -> list[psutil.Process]:
    """Processes that this one has started, theirs too."""
    found = []
    for child in psutil.Process().children(recursive=True):
        try:
            if _TRACKER not in " ".join(child.cmdline()):
                found.append(child)
        except psutil.Error:  # ended since it was listed
            continue
    return found


def settled(looks: Sequence[Look]) -> list[Look]:
    """Those after the first tenth of the sound."""
    if not looks:
        return []
    begin = looks[0].audio_s + _WARM_UP * (looks[-1].audio_s - looks[0].audio_s)
    return [look for look in looks if look.audio_s >= begin]


def slope(looks: Sequence[Look], of: str, per: str = "audio_s") -> float:
    """Least squares: what field ``of`` grows by in an hour of ``per``, warm-up left out. 0 of too few."""
    kept = settled(looks)
    x = np.array([getattr(look, per) for look in kept]) / 3600
    if len(kept) < 3 or np.ptp(x) == 0:
        return 0.0
    return float(np.polyfit(x, [getattr(look, of) for look in kept], 1)[0])
