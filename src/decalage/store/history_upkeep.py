"""Bringing the history up to date from the journals, and taking sessions out of both.

::

    journals ──▶ read those that changed ──▶ one transaction each ──▶ history
    pruned       none that is being written                          stays

Nothing depends on how a program ended: what it left is looked through whenever the history is asked.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from decalage.errors import InputError, MissingPartError
from decalage.store.history import History
from decalage.store.history_database import DamagedHistoryError, history_path, refusals
from decalage.store.history_journals import remove, stamp
from decalage.store.history_values import SessionText
from decalage.store.journal_folders import is_written, sessions
from decalage.store.journal_reader import JournalContent, read_journal

_BESIDE = ("-journal", "-wal", "-shm")
"""Endings of what SQLite may leave beside a file."""
_UNKNOWN = ""
"""Stamp of a session out of a damaged history: its journal, if there is one, is read again."""


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What was found on the way."""

    written: tuple[str, ...]
    """Sessions that go on: they are not in the history before they end."""
    unreadable: tuple[str, ...]
    """Journals that cannot be read."""
    told: tuple[str, ...]
    """A line for each of these."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A history made again."""

    kept: int
    """Sessions in it."""
    damaged: Path | None
    """Where the file is that was damaged; None: all that was in it was read."""
    lost: tuple[str, ...]
    """Sessions of that one that could not be read, and have no journal any more."""


def catch_up(history: History, root: Path) -> Upkeep:
    """Have in ``history`` what the journals in ``root`` tell, but for sessions that are being written.

    Raises ``OutputError`` where ``root`` cannot be read, and as ``History``.
    """
    known = history.stamps()
    written, unreadable, told = [], [], []
    for session in sessions(root):
        folder, name = session.folder, session.folder.name
        at = stamp(folder)
        if name in known and at in (None, known[name]):
            continue
        try:
            content = read_journal(folder)
        except InputError as error:
            if is_written(folder):
                written.append(name)
            elif folder.is_dir():
                unreadable.append(name)
                told.append(f"{error}; to delete it: decalage history delete {name}")
            continue
        if content.ending is None and is_written(folder):
            written.append(name)
            continue
        _remember(history, content, at)
    return Upkeep(tuple(written), tuple(unreadable), tuple(told))


def keep_text(folder: Path, open_history: Callable[[Path], History] = History) -> None:
    """Have in the history what the journal in ``folder`` tells, which nobody writes and is to be deleted.

    One that cannot be read tells nothing, and without FTS5 there is no history. Raises as ``History`` else.
    """
    at = stamp(folder)
    try:
        content = read_journal(folder)
    except InputError:
        return
    try:
        history = open_history(history_path(folder.parent))
    except MissingPartError:
        return
    with history:
        if at is None or history.stamps().get(folder.name) != at:
            _remember(history, content, at)


def _remember(history: History, content: JournalContent, at: str | None) -> None:
    """As it was when its stamp was ``at``; unless it was deleted meanwhile."""
    folder = content.folder
    events = tuple(each.event for each in content.events)
    text = SessionText(folder.name, content.settings, content.ending, events)
    history.remember(text, at or _UNKNOWN, folder.is_dir)


def forget(history: History, root: Path, names: Sequence[str]) -> None:
    """Delete these sessions, journals first: a history that is brought up to date meanwhile has them no more.

    Raises ``UsageError`` for one that is being written, ``OutputError`` where one cannot be deleted; those
    before it in ``names`` are deleted then.
    """
    gone = []
    try:
        for name in names:
            remove(root / name)
            gone.append(name)
    finally:
        history.forget(gone)


def rebuild(path: Path, root: Path) -> Rebuilt:
    """Make the history in ``path`` again, of what can be read there and of the journals in ``root``.

    Where something could not be read, the file stays at ``damaged_path``. At any moment ``path`` is the old
    file or the new one. Raises as ``History`` where ``path`` is of a newer version or another program, and
    where none can be written.
    """
    fresh = path.with_name(f"{path.name}.new")
    delete_database(fresh)
    try:
        with History(fresh) as history:
            unread = _salvage(path, history) if path.is_file() else []
            catch_up(history, root)
            kept = history.stamps()
        damaged = None if unread == [] else damaged_path(path)
        _put_aside(path, damaged)
        with refusals(path):
            fresh.replace(path)
    finally:
        delete_database(fresh)
    lost = tuple(name for name in unread or [] if name not in kept)
    return Rebuilt(len(kept), damaged, lost)


def damaged_path(path: Path) -> Path:
    """Where ``rebuild`` leaves what it could not read of ``path``."""
    return path.with_name(f"{path.name}.damaged")


def _salvage(path: Path, history: History) -> list[str] | None:
    """Have in ``history`` what can be read in ``path``; gives the sessions that cannot, None: not known."""
    unread = []
    try:
        with History(path) as old:
            for name in old.stamps():
                try:
                    text, renditions = old.read(name), old.renditions(name)
                except InputError:
                    unread.append(name)
                    continue
                history.remember(text, _UNKNOWN, lambda: True)
                for rendition in renditions:
                    history.add(name, rendition)
    except DamagedHistoryError:
        return None
    return unread


def delete_database(path: Path) -> None:
    """Delete the file with what SQLite left beside it. Raises ``OutputError``."""
    with refusals(path):
        for suffix in ("", *_BESIDE):
            path.with_name(path.name + suffix).unlink(missing_ok=True)


def _put_aside(path: Path, to: Path | None) -> None:
    """Have the file at ``to`` as well, and what SQLite left beside it there alone: it must not meet another.

    None: nowhere. Raises ``OutputError``.
    """
    if to is not None:
        delete_database(to)
    with refusals(path):
        if to is not None:
            _also_at(path, to)
        for suffix in _BESIDE:
            file = path.with_name(path.name + suffix)
            if to is None:
                file.unlink(missing_ok=True)
            elif file.exists():
                file.replace(to.with_name(to.name + suffix))


def _also_at(path: Path, to: Path) -> None:
    try:
        to.hardlink_to(path)
    except OSError:  # a file system without links
        to.touch(0o600)
        shutil.copyfile(path, to)
