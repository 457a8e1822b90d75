"""Which sessions go while a program keeps journals, and what has to be done before one does."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path

from decalage.clock import Clock
from decalage.errors import OutputError, one_line
from decalage.store.journal_folders import prune

_SURE_S = 60.0
"""A machine that has just started may not have set its wall clock yet."""
_JUMP_S = 3600.0
"""A wall clock that has moved by more than that against the time that passed tells no ages."""


class Pruner:
    """Deletes the sessions in ``root`` that are too old, or too much; for one thread.

    ``before_delete`` is done with a session's folder when that goes; what it raises keeps the folder while
    there is room. ``tell`` gets each warning, the same one once.
    """

    def __init__(
        self, root: Path, before_delete: Callable[[Path], None], clock: Clock, tell: Callable[[str], None]
    ) -> None:
        self._root = root
        self._before_delete = before_delete
        self._clock = clock
        self._tell = tell
        self._told: str | None = None
        self._began = clock.now()
        self._wall_began = time.time()

    def __repr__(self) -> str:
        return f"<Pruner of {self._root}>"

    def prune(self, *, most_bytes: int, longest_s: float) -> int:
        """Of those that nobody writes; the bytes that are left, 0 where that is not known."""
        try:
            return prune(
                self._root,
                most_bytes=most_bytes,
                longest_s=longest_s if self._knows_ages() else math.inf,
                before_delete=self._is_done_with,
            )
        except (OutputError, OSError) as error:
            self._warn(f"old journals are not deleted: {one_line(error)}")
            return 0

    def _knows_ages(self) -> bool:
        passed = self._clock.now() - self._began
        return passed >= _SURE_S and abs(time.time() - self._wall_began - passed) < _JUMP_S

    def _is_done_with(self, folder: Path) -> bool:
        try:
            self._before_delete(folder)
        except Exception as error:  # the edge of a thread: whatever a damaged folder brings up is told
            self._warn(f"old journals stay while there is room for them: {one_line(error)}")
            return False
        return True

    def _warn(self, warning: str) -> None:
        if warning != self._told:
            self._told = warning
            self._tell(warning)
