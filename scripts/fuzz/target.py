"""What is fuzzed: a function that takes bytes and raises where they break something."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

CORPUS = Path(__file__).parents[2] / "tests" / "corpus"
"""Inputs that together reach what is known to be reachable: a folder for each target."""


@dataclass(frozen=True, slots=True)
class Target:
    """One parser, and what always has to hold of what it makes of an input."""

    name: str
    check: Callable[[bytes], None]
    """Takes any bytes; raises for what no input may lead to."""
    seeds: tuple[bytes, ...]
    """Inputs to begin with."""
    words: tuple[str, ...] = ()
    """Of its language, to try in inputs."""
    longest: int = 1024
    """Bytes of an input."""

    def __repr__(self) -> str:
        return f"<Target {self.name}>"

    def __str__(self) -> str:
        return self.name

    @property
    def corpus(self) -> Path:
        """Where its inputs are kept."""
        return CORPUS / self.name

    def kept(self) -> list[Path]:
        """The inputs that are kept, in order of their names."""
        return sorted(path for path in self.corpus.glob("*") if not path.name.startswith("."))
