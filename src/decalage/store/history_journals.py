"""The journals as the history sees them: whether they changed, are being written, and away with them."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import ExitStack
from io import FileIO
from pathlib import Path

from decalage.errors import OutputError, UsageError
from decalage.store.journal_folders import EVENTS, SETTINGS, is_held, take_hold

_LEAVING = ".leaving-"
"""As ``journal_folders.prune`` names what is being deleted, and clears away."""
_YOUNG_S = 2.0
"""A journal that was made so lately may not be locked by its writer yet."""


def stamp(folder: Path) -> str | None:
    """Another one whenever something was told; None where there is nothing."""
    try:
        status = (folder / EVENTS).stat()
    except OSError:
        return None
    return f"{status.st_size}.{status.st_mtime_ns}"


def is_written(folder: Path) -> bool:
    """Whether a program writes the journal in ``folder``, or is about to."""
    return folder.is_dir() and (_is_young(folder) or is_held(folder))


def remove(folder: Path) -> None:
    """Delete the journal in ``folder``, at once and whole, where there is one.

    Raises ``UsageError`` for one that is being written, ``OutputError`` where it cannot be deleted.
    """
    leaving = folder.with_name(f"{_LEAVING}{folder.name}")
    events = folder / EVENTS
    try:
        with ExitStack() as stack:
            free = not _is_young(folder)
            if os.name != "nt" and events.is_file():  # Windows moves no folder with a file that is open
                free = take_hold(stack.enter_context(FileIO(events, "r+"))) and free
            if not free:
                raise UsageError(f"{folder.name} is being written; end it first")
            folder.rename(leaving)
            shutil.rmtree(leaving)
    except FileNotFoundError:
        return
    except OSError as error:
        raise OutputError(f"{folder} cannot be deleted: {(error.strerror or str(error)).lower()}") from error


def _is_young(folder: Path) -> bool:
    try:
        made = (folder / SETTINGS).stat().st_mtime
    except OSError:
        return False
    return abs(time.time() - made) < _YOUNG_S
