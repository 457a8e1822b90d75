"""Where journals are kept, which of them are being written, and which have to go."""

from __future__ import annotations

import logging
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path

import platformdirs

from decalage.errors import OutputError

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
_YOUNG_S = 2.0
"""A session that began so lately may not be locked by its writer yet."""
_FRESH_S = 60.0
"""``prune`` leaves what was written so lately: where there are no locks, that tells who is at work."""


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


def take_hold(file: FileIO, *, wait: bool = False) -> bool:
    """Lock ``file`` until it is closed or the process is gone; False where another has it.

    With ``wait`` once nobody has it any more. Where the file system has no locks, nobody is kept apart.
    """
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        logger.debug("no locks for %s: %s", file.name, error.strerror)
    return True


def is_held(folder: Path) -> bool:
    """Whether a program has locked the session in ``folder``; of one that cannot be looked into, nobody."""
    try:
        with _free(folder) as free:
            return not free
    except OSError:
        return False


def is_written(folder: Path, now: float | None = None) -> bool:
    """Whether a program writes the session in ``folder``, or is about to."""
    return is_kept(folder) and (_is_young(folder, now) or is_held(folder))


def is_kept(folder: Path) -> bool:
    """Whether ``folder`` is there, for this user."""
    try:
        return folder.is_dir()
    except OSError:
        return False


def sessions(root: Path) -> list[Session]:
    """All that are kept in ``root``, the oldest first. Raises ``OutputError`` where that cannot be read."""
    try:
        if not root.is_dir():
            return []
        folders = [path for path in root.iterdir() if _NAME.fullmatch(path.name) and path.is_dir()]
        found = [_measured(folder) for folder in sorted(folders) if not folder.is_symlink()]
    except OSError as error:
        raise OutputError(f"the journals in {root} cannot be read: {error.strerror}") from error
    return [session for session in found if session is not None]


def prune(
    root: Path,
    *,
    most_bytes: int,
    longest_s: float,
    now: float | None = None,
    before_delete: Callable[[Path], bool] = lambda _: True,
) -> int:
    """Delete sessions that are too old, then the oldest until ``most_bytes`` are not exceeded.

    Never one that is being written. Where ``before_delete`` is not done with a folder, which nobody can
    begin to write meanwhile, it goes for lack of room alone, and no other is asked about. Returns the bytes
    that are left; raises ``OutputError`` where ``root`` cannot be read.
    """
    now = time.time() if now is None else now
    for rest in root.glob(f"{_LEAVING}*"):
        shutil.rmtree(rest, ignore_errors=True)
    kept = sessions(root)
    left = sum(session.bytes for session in kept)
    done = True

    def may_go(folder: Path) -> bool:
        nonlocal done
        done = done and before_delete(folder)
        return done or left > most_bytes

    for session in kept:
        old = now - session.touched > longest_s
        if not (old or left > most_bytes) or now - session.touched <= _FRESH_S:
            continue
        try:
            gone = delete(session.folder, now=now, may_go=may_go)
        except OSError as error:
            logger.warning("%s cannot be deleted: %s", session.folder, error.strerror)
            continue
        if gone:
            left -= session.bytes
            logger.info("journal deleted: %s, %s", session.folder.name, "too old" if old else "no room")
    return left


def delete(
    folder: Path, *, now: float | None = None, may_go: Callable[[Path], bool] = lambda _: True
) -> bool:
    """Delete the session in ``folder``, at once and whole; False where it is written, or ``may_go`` says no.

    One that is not there is deleted. Raises ``OSError``.
    """
    try:
        with _free(folder) as free:
            if not free or _is_young(folder, now) or not may_go(folder):
                return False
            leaving = folder.with_name(f"{_LEAVING}{folder.name}")
            folder.rename(leaving)
            shutil.rmtree(leaving)
    except FileNotFoundError:
        logger.debug("%s is gone already", folder)
    return True


def _measured(folder: Path) -> Session | None:
    """``folder`` as it is now, as far as it can be read. None where all of it is gone."""
    inside: list[Path] = []
    try:
        inside = list(folder.iterdir())
    except FileNotFoundError:
        return None
    except OSError as error:
        logger.debug("%s cannot be read: %s", folder, error.strerror)
    size, touched = 0, 0.0
    for path in (folder, *inside):
        try:
            status = path.stat(follow_symlinks=False)
        except OSError:  # deleted meanwhile, most often
            continue
        size += -(-status.st_size // _BLOCK) * _BLOCK
        touched = max(touched, status.st_mtime)
    return Session(folder, size, touched)


def _is_young(folder: Path, now: float | None) -> bool:
    try:
        made = (folder / SETTINGS).stat().st_mtime
    except OSError:
        return False
    return abs((time.time() if now is None else now) - made) < _YOUNG_S


@contextmanager
def _free(folder: Path) -> Iterator[bool]:
    """Whether nobody writes ``folder``, and nobody else can begin to while this lasts."""
    events = folder / EVENTS
    if fcntl is None or not events.is_file():
        yield True
        return
    with FileIO(events, "r+") as file:
        yield take_hold(file)
