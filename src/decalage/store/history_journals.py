"""The journals as the history sees them: whether they changed, and away with them."""

from __future__ import annotations

from pathlib import Path

from decalage.errors import OutputError, UsageError
from decalage.store.journal_folders import EVENTS, delete


def stamp(folder: Path) -> str | None:
    """Another one whenever something was told; None where there is nothing."""
    try:
        status = (folder / EVENTS).stat()
    except OSError:
        return None
    return f"{status.st_size}.{status.st_mtime_ns}"


def remove(folder: Path) -> None:
    """Delete the journal in ``folder`` for a person.

    Raises ``UsageError`` for one that is being written, ``OutputError`` where it cannot be deleted.
    """
    try:
        deleted = delete(folder)
    except OSError as error:
        raise OutputError(f"{folder} cannot be deleted: {(error.strerror or str(error)).lower()}") from error
    if not deleted:
        raise UsageError(f"{folder.name} is being written; end it first")
