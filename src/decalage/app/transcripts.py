"""The transcripts that ``live`` saves: files of captions that stay until a person deletes them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from decalage.errors import OutputError
from decalage.store.journal_folders import create_private, journal_folder, make_private


def transcripts_folder() -> Path:
    """Beside the journals: in ``DECALAGE_DATA``, else in the system's place for a user's data."""
    return journal_folder().with_name("transcripts")


def new_transcript() -> Path:
    """For a session that begins now: the name of a file that is not there, in a folder that is.

    Raises ``OutputError``.
    """
    folder = transcripts_folder()
    try:
        make_private(folder)
    except OSError as error:
        raise _refusal(f"the folder {folder}", error) from error
    now = datetime.now()
    return folder / f"{now:%Y-%m-%d %H.%M.%S}.{now.microsecond // 1000:03}.jsonl"


def make_transcript(path: Path) -> None:
    """An empty file that nobody else may read, whatever the umask. Raises ``OutputError``."""
    try:
        create_private(path).close()
    except OSError as error:
        raise _refusal(str(path), error) from error


def drop_empty(path: Path) -> None:
    """Delete the file of a session that never began."""
    if path.is_file() and not path.stat().st_size:
        path.unlink()


def _refusal(what: str, error: OSError) -> OutputError:
    return OutputError(f"cannot make {what}: {error.strerror}; use --no-save, or set DECALAGE_DATA")
