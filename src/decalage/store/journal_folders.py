"""Where journals are kept, which of them are being written, and which have to go."""

from __future__ import annotations

import logging
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path

import platformdirs

try:
    import fcntl
except ImportError:  # Windows, where a folder with an open file cannot be moved: that is lock enough
    fcntl = None  # type: ignore[assignment]

logger = logging.getLogger(__name__)

EVENTS = "events.jsonl"
SETTINGS = "session.json"
_NAME = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}")
_LEAVING = ".leaving-"
_BLOCK = 4096
"""What a file takes at least."""
_FRESH_S = 60.0
"""A folder that was made so lately is left alone: its writer may not have locked it yet."""


@dataclass(frozen=True, slots=True)
class Session:
    """The folder of a session, and what it takes."""

    folder: Path
    bytes: int
    touched: float
    """When it was last written, seconds since 1970."""


def journal_folder() -> Path:
    """Where the sessions' folders are: in ``DECALAGE_DATA``, else in the system's place for a user's data."""
    given = os.environ.get("DECALAGE_DATA")
    return (Path(given) if given else platformdirs.user_data_path("decalage")) / "journal"


def new_name() -> str:
    """For the folder of a session that begins now: the time in UTC, and what tells it from others."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


def make_private(folder: Path) -> None:
    """``folder``, with those above it, so that nobody else may look inside. Raises ``OSError``."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)


def create_private(path: Path) -> FileIO:
    """A new file, unbuffered, for nobody else to read. Raises ``OSError``."""
    return FileIO(path, "x", opener=lambda name, flags: os.open(name, flags, 0o600))


def take_hold(file: FileIO) -> bool:
    """Lock ``file`` until it is closed or the process is gone; False where another has it."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def is_held(folder: Path) -> bool:
    """Whether a program writes the session in ``folder``; one that cannot be looked at counts as such."""
    try:
        with _free(folder) as free:
            return not free
    except OSError:
        return True


def sessions(root: Path) -> list[Session]:
    """All that are kept in ``root``, the oldest first."""
    if not root.is_dir():
        return []
    folders = [path for path in root.iterdir() if _NAME.fullmatch(path.name) and path.is_dir()]
    found = [_measured(folder) for folder in sorted(folders) if not folder.is_symlink()]
    return [session for session in found if session is not None]


def prune(root: Path, *, most_bytes: int, longest_s: float, now: float | None = None) -> int:
    """Delete sessions that are too old, then the oldest until ``most_bytes`` are not exceeded.

    Never one that is being written. Returns the bytes that are left.
    """
    now = time.time() if now is None else now
    for rest in root.glob(f"{_LEAVING}*"):
        shutil.rmtree(rest, ignore_errors=True)
    kept = sessions(root)
    left = sum(session.bytes for session in kept)
    for session in kept:
        old = now - session.touched > longest_s
        if (old or left > most_bytes) and now - session.touched > _FRESH_S and _delete(session.folder):
            left -= session.bytes
            logger.info("journal deleted: %s, %s", session.folder.name, "too old" if old else "no room")
    return left


def _measured(folder: Path) -> Session | None:
    """``folder`` as it is now; what is deleted meanwhile takes nothing. None where all of it is gone."""
    try:
        inside = list(folder.iterdir())
    except FileNotFoundError:
        return None
    size, touched = 0, 0.0
    for path in (folder, *inside):
        try:
            status = path.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        size += -(-status.st_size // _BLOCK) * _BLOCK
        touched = max(touched, status.st_mtime)
    return Session(folder, size, touched)


def _delete(folder: Path) -> bool:
    """False where it is being written, or cannot be deleted. It is gone from the list at once, whole."""
    try:
        with _free(folder) as free:
            if free:
                leaving = folder.with_name(f"{_LEAVING}{folder.name}")
                folder.rename(leaving)
                shutil.rmtree(leaving)
    except OSError as error:
        logger.warning("%s cannot be deleted: %s", folder, error.strerror)
        return False
    return free


@contextmanager
def _free(folder: Path) -> Iterator[bool]:
    """Whether nobody writes ``folder``, and nobody else can begin to while this lasts."""
    events = folder / EVENTS
    if fcntl is None or not events.is_file():
        yield True
        return
    with FileIO(events, "r+") as file:
        yield take_hold(file)
