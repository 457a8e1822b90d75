"""What a run needs in memory, beside what ``decalage.app.memory`` expects of it.

    python -m scripts.measure_memory [SPEECH] [--models base,tiny.en] [--beam N]

Each row is ``decalage translate`` in a process of its own; memory is the peak, over its process
tree, of the proportional set size, five times a second, so that pages shared by processes count once.
Linux only.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

import psutil

from decalage.app.memory import Plan, needed_bytes
from decalage.app.settings import Settings
from decalage.store.models import find_recognizer
from scripts.evaluation import table

SHAPES = [
    ("sequential", 1),
    ("pipeline", 1),
    ("pipeline", 2),
    ("pipeline", 4),
    ("asyncio", 2),
    ("pool", 1),
    ("pool", 2),
    ("pool", 4),
    ("pool", 16),
    ("processes", 1),
    ("processes", 2),
    ("processes", 4),
    ("processes", 12),
]
"""Runtime and recognizers; a thread in each."""

_LOOK_EVERY_S = 0.2


def tree_bytes(process: psutil.Process) -> list[int]:
    """Proportional set size of ``process`` and of each of its children."""
    sizes = []
    for member in [process, *process.children(recursive=True)]:
        try:
            sizes.append(member.memory_full_info().pss)
        except psutil.Error:  # ended since it was listed
            continue
    return sizes


def peak_bytes(arguments: list[str]) -> list[int]:
    """The processes' sizes at the moment when ``decalage translate`` with ``arguments`` was greatest."""
    command = [sys.executable, "-m", "decalage", "translate", *arguments, "--offline", "--format", "jsonl"]
    running = subprocess.Popen(  # noqa: S603 - our own program
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    process, peak = psutil.Process(running.pid), [0]
    while running.poll() is None:
        try:
            peak = max(peak, tree_bytes(process), key=sum)
        except psutil.Error:  # ended just now
            break
        time.sleep(_LOOK_EVERY_S)
    if running.wait():
        raise SystemExit(f"failed: {' '.join(command)}")
    return peak


def main() -> None:
    """Measure, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("speech", nargs="?", default="samples/talk.flac")
    parser.add_argument("--models", default="base,tiny.en")
    parser.add_argument("--beam", type=int, default=1)
    given = parser.parse_args()
    lines: list[list[object]] = []
    for model in given.models.split(","):
        for runtime, workers in SHAPES:
            options = ["--model", model, "--runtime", runtime, "--workers", str(workers)]
            options += ["--threads", "1", "--beam", str(given.beam)]
            sizes = peak_bytes([given.speech, *options])
            settings = Settings(model=model, runtime=runtime, workers=workers, threads=1)  # type: ignore[arg-type]
            plan = Plan.of(settings, find_recognizer(model, offline=True))
            parts = " ".join(f"{size / 1e6:.0f}" for size in sizes)
            lines.append([model, runtime, workers, sum(sizes) / 1e6, needed_bytes(plan) / 1e6, parts])
            print(".", end="", file=sys.stderr, flush=True)
    print(table(["model", "runtime", "workers", "peak MB", "expected MB", "its processes, MB"], lines, 0))


if __name__ == "__main__":
    main()
