"""What became of the files of a batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from decalage.app.batch.plan import Task
from decalage.app.batch.record import Quality, Record

State: TypeAlias = Quality | Literal["failed", "left"]
"""As of a record, or: ``failed``, there are no results; ``left``, the batch ended before its turn came."""
How: TypeAlias = Literal["captioned", "before", "written", "reused"]
"""``before``: by a batch before this one. Without captioning: ``written`` of the events of its own set,
``reused``: made of another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The end of one task."""

    task: Task
    state: State
    how: How | None = None
    """None: there are no results."""
    record: Record | None = None
    """Of the result set, if there is one."""
    sha256: str | None = None
    """Of the content, as far as it was read."""
    error: str | None = None
    """Why it is not ``done``, one line."""
    lost: tuple[str, ...] = ()
    """Each piece of speech that failed."""
    tries: int = 0
    """How often it was captioned."""
    wall_s: float = 0.0
    """From the beginning of the last try to its end."""

    @property
    def bad(self) -> bool:
        """Whether there is something to complain of; what is left only waits."""
        return self.state not in ("done", "left")

    @property
    def audio_s(self) -> float:
        """Seconds of sound that its results are of."""
        return 0.0 if self.record is None else self.record.audio_s
