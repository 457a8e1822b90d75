"""Recognizers × threads in each: the default by cores, and what is tried beside it."""

from __future__ import annotations

from dataclasses import dataclass

MAX_WORKERS = 4
"""Recognitions at a time by default: beyond it, shared memory bandwidth eats the gain."""


@dataclass(frozen=True, slots=True, order=True)
class Shape:
    """How recognition is spread over cores."""

    workers: int
    """Recognitions at a time."""
    threads: int
    """Threads in each."""

    def __str__(self) -> str:
        return f"{self.workers} × {self.threads}"


def default_shape(cores: int, workers: int | None = None, threads: int | None = None) -> Shape:
    """As given, else as many single-thread workers as there are cores, and wider ones past ``MAX_WORKERS``.

    All commands start from it; ``advise`` leaves it only for one that measures better.
    """
    workers = workers or min(MAX_WORKERS, max(1, cores // (threads or 1)))
    return Shape(workers, threads or max(1, cores // workers))


def shapes(cores: int) -> list[Shape]:
    """What is worth measuring on ``cores``: the default first, one wide worker, all narrow ones."""
    return list(dict.fromkeys([default_shape(cores), Shape(1, cores), Shape(cores, 1)]))
