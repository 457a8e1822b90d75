"""A blueprint on the machines of a cluster: paths are those of one machine, models have names on all."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from decalage.config import SegmenterOptions
from decalage.contracts import Recognizer, Segmenter, StageBlueprint, Translator


def this_machine() -> str:
    """Tells this machine, or container, from others."""
    try:
        number = Path("/etc/machine-id").read_text("ascii").strip()
    except (OSError, ValueError):
        number = ""
    return f"{platform.node()} {number}"


@dataclass(frozen=True, slots=True)
class NodeBlueprint:
    """``here`` on the machine where it was made; on another, what ``again()`` gives there.

    So models are looked for on each machine, and prepared for its processor. All of it is picklable.
    """

    here: StageBlueprint
    again: Callable[[], StageBlueprint]
    check: Callable[[StageBlueprint, int], None]
    """Raises where a machine has no room for so many recognitions at a time by its blueprint."""
    machine: str = field(default_factory=this_machine)

    def segmenter(self, stream: str, options: SegmenterOptions) -> Segmenter:
        return self._there().segmenter(stream, options)

    def recognizer(self, concurrency: int) -> Recognizer:
        there = self._there()
        self.check(there, concurrency)
        return there.recognizer(concurrency)

    def translator(self) -> Translator:
        return self._there().translator()

    def _there(self) -> StageBlueprint:
        return self.here if this_machine() == self.machine else self.again()
