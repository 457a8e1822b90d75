"""What this machine has for a run: cores, free memory, and what its processor can do."""

from __future__ import annotations

import ctypes.util
import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import psutil

from decalage.app.settings import available_cores

_FEATURES = {
    "avx2": "avx2",
    "avx512f": "avx512",
    "avx512_vnni": "vnni",
    "avx_vnni": "vnni",
    "amx_int8": "amx",
    "asimd": "neon",
    "asimddp": "dotprod",
    "i8mm": "i8mm",
}
"""Flag of /proc/cpuinfo → name: what the engines' int8 arithmetic makes use of."""

_NO_LIMIT = 1 << 60
"""Bytes; version 1 of control groups writes a number like this where there is no limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Made by ``look`` or by a test."""

    cores: int
    """Cores this process may use."""
    free_bytes: int
    """Memory that can be had without swapping, within the control group's limit."""
    total_bytes: int
    features: tuple[str, ...] | None = None
    """Of avx2, avx512, vnni, amx, neon, dotprod, i8mm; None: the system does not tell."""
    at_work: float | None = None
    """Programs that wanted a core at a time, over the last minute; None: the system does not tell."""

    @property
    def crowded(self) -> bool:
        """Whether other programs take so much that measurements show it."""
        return self.at_work is not None and self.at_work > self.cores / 2


def look() -> Machine:
    """This machine, now."""
    memory = psutil.virtual_memory()
    allowed = allowed_bytes()
    free = memory.available if allowed is None else min(memory.available, allowed)
    return Machine(
        cores=available_cores(),
        free_bytes=int(free),
        total_bytes=int(memory.total),
        features=cpu_features(),
        at_work=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    )


def has_gpu() -> bool:
    """Whether there is a driver for a GPU that recognition can run on, and one of them.

    The engine's library is asked only where the driver is installed.
    """
    if ctypes.util.find_library("nvcuda" if os.name == "nt" else "cuda") is None:
        return False
    import ctranslate2  # noqa: PLC0415 - loads a large native library

    return int(ctranslate2.get_cuda_device_count()) > 0


def cpu_features(root: Path = Path("/")) -> tuple[str, ...] | None:
    """Names as in ``Machine.features``, from ``/proc/cpuinfo`` under ``root``."""
    try:
        lines = (root / "proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:  # not Linux: every 64-bit ARM has NEON, of others nothing is known
        return ("neon",) if platform.machine().lower() in ("arm64", "aarch64") else None
    flags = {
        flag
        for line in lines
        if line.partition(":")[0].strip().lower() in ("flags", "features")
        for flag in line.partition(":")[2].split()
    }
    return tuple(dict.fromkeys(name for flag, name in _FEATURES.items() if flag in flags)) if flags else None


def allowed_bytes(root: Path = Path("/")) -> int | None:
    """Memory that the control groups of this process still allow; None without a limit.

    Version 2 or 1, as ``/proc/self/cgroup`` under ``root`` tells; the tightest of the group and
    those above it. Cached files count as free, for the kernel gives them up first.
    """
    left = [limit for folder in _groups(root) if (limit := _left(folder)) is not None]
    return min(left, default=None)


def _groups(root: Path) -> Iterator[Path]:
    """The folders of this process's memory control groups, innermost first.

    In a container the path told is often the host's; what is mounted then is the container's own.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text("utf-8").splitlines()
    except OSError:
        return
    mounted = root / "sys/fs/cgroup"
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        top = mounted / "memory" if controllers else mounted
        inner = PurePosixPath(path.lstrip("/"))
        for part in dict.fromkeys([inner, *inner.parents]):
            yield top / part


def _left(group: Path) -> int | None:
    """Bytes that ``group`` may still take; None where it says nothing or has no limit."""
    for limit, used, cache in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        try:
            most = int((group / limit).read_text("utf-8"))  # ValueError for version 2's "max"
            now = int((group / used).read_text("utf-8"))
            counts = dict(line.split() for line in (group / "memory.stat").read_text("utf-8").splitlines())
            held = int(counts.get(cache, 0))
        except (OSError, ValueError):
            continue
        return None if most >= _NO_LIMIT else max(0, most - now + held)
    return None
