"""The file of the history: a SQLite database for its owner alone.

::

    session ──┬── event       what was told, as it was published, in order
              ├── said        a row for each text: utterance, language, times
              │     └── words       the same to search (FTS5), by the same number
              └── untranslated      what failed when a session was translated afterwards

It has a rollback journal, not a write-ahead log: nothing that was deleted is left in a second file, and the
folder may be on a network. Deleted text is overwritten.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from decalage.errors import InputError, MissingPartError, OutputError, UsageError, one_line
from decalage.store.history_words import TOKENIZER
from decalage.store.journal_folders import journal_folder, make_private

VERSION = 1
"""Of the tables."""
_OURS = int.from_bytes(b"dclg")
"""Tells the file from other programs' databases."""
_BUSY_S = 10.0
"""Another program may take so long with what it writes."""
_SCHEMA = (
    """
    CREATE TABLE session (
        id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, stamp TEXT NOT NULL, began TEXT NOT NULL,
        duration_s REAL NOT NULL, source TEXT NOT NULL, targets TEXT NOT NULL, model TEXT NOT NULL,
        ending TEXT, captions INTEGER NOT NULL, failures INTEGER NOT NULL, rejected INTEGER NOT NULL,
        gaps INTEGER NOT NULL, settings TEXT NOT NULL)""",
    """
    CREATE TABLE event (
        session INTEGER NOT NULL REFERENCES session ON DELETE CASCADE, place INTEGER NOT NULL,
        body TEXT NOT NULL, PRIMARY KEY (session, place)) WITHOUT ROWID""",
    """
    CREATE TABLE said (
        id INTEGER PRIMARY KEY, session INTEGER NOT NULL REFERENCES session ON DELETE CASCADE,
        utterance INTEGER NOT NULL, language TEXT NOT NULL, start_s REAL NOT NULL, end_s REAL NOT NULL,
        text TEXT NOT NULL, spoken INTEGER NOT NULL, afterwards INTEGER NOT NULL,
        UNIQUE (session, utterance, language))""",
    """
    CREATE TABLE untranslated (
        session INTEGER NOT NULL REFERENCES session ON DELETE CASCADE, utterance INTEGER NOT NULL,
        language TEXT NOT NULL, error TEXT NOT NULL,
        PRIMARY KEY (session, utterance, language)) WITHOUT ROWID""",
    f'CREATE VIRTUAL TABLE words USING fts5(text, tokenize = "{TOKENIZER}")',
    f"PRAGMA application_id = {_OURS}",
    f"PRAGMA user_version = {VERSION}",
)
_PRIMARY = 0xFF
"""Of an error of SQLite: the rest of its number tells more of the same."""
_UNWRITABLE = (
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_NOMEM,
)
_IN_USE = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)

Connect: TypeAlias = Callable[..., sqlite3.Connection]


class DamagedHistoryError(InputError):
    """Raised when the file is no whole database: ``decalage history rebuild`` makes another."""


def history_path(journals: Path | None = None) -> Path:
    """Where the history is: beside the folder of the journals, by default the user's own."""
    return (journals or journal_folder()).parent / "history.sqlite"


def open_database(path: Path, connect: Connect = sqlite3.connect) -> sqlite3.Connection:
    """``path`` as a database with the tables above, made where there is none.

    Raises ``DamagedHistoryError``, ``MissingPartError`` without FTS5, ``OutputError`` where it cannot be
    written, ``UsageError`` where it is in use or of another version.
    """
    with refusals(path):
        _make_file(path)
        connection = connect(path, timeout=_BUSY_S, isolation_level=None)
        try:
            _prepare(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def _make_file(path: Path) -> None:
    """An empty private file where there is none. A folder that the environment names is left as it is."""
    if not path.parent.is_dir() or not os.environ.get("DECALAGE_DATA"):
        make_private(path.parent)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    path.chmod(0o600)


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    for setting in ("foreign_keys = ON", "secure_delete = ON", "temp_store = MEMORY"):
        connection.execute(f"PRAGMA {setting}")
    if _number(connection, "user_version") == 0:
        with transaction(connection, writes=True):
            _make_tables(connection, path)
    version, application = (_number(connection, name) for name in ("user_version", "application_id"))
    if application != _OURS:
        raise _foreign(path)
    if version != VERSION:
        raise UsageError(
            f"{path} was written by a newer decalage (version {version}, this one knows {VERSION}): "
            "update decalage, or move the file away to begin another"
        )


def _make_tables(connection: sqlite3.Connection, path: Path) -> None:
    if _number(connection, "user_version") != 0:  # another program was faster
        return
    if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise _foreign(path)
    for statement in _SCHEMA:
        connection.execute(statement)


def _foreign(path: Path) -> UsageError:
    return UsageError(f"{path} is a database of another program; move it away, or set DECALAGE_DATA")


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    return int(connection.execute(f"PRAGMA {pragma}").fetchone()[0])


@contextmanager
def transaction(connection: sqlite3.Connection, *, writes: bool) -> Iterator[None]:
    """One state of the database to read; what is written is written whole or not at all, by nobody else."""
    connection.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def refusals(path: Path) -> Iterator[None]:
    """What SQLite and the system refuse, as errors of ours in one line."""
    try:
        yield
    except OSError as error:
        raise _unkept(path, error.strerror or str(error)) from error
    except UnicodeDecodeError as error:  # a text, or what SQLite says of one
        raise damage(path, error) from error
    except sqlite3.Error as error:
        raise _told(path, error) from error


def _told(path: Path, error: sqlite3.Error) -> Exception:
    told, code = one_line(error), getattr(error, "sqlite_errorcode", None)
    kind = None if code is None else code & _PRIMARY
    if "no such module: fts5" in told:
        return MissingPartError(
            f"the SQLite of this Python ({sqlite3.sqlite_version}) is built without FTS5, which the history "
            "needs; use a Python that has it, as those of python.org and most systems do"
        )
    if kind in _IN_USE:
        return UsageError(f"{path} is in use by another program; try again")
    if kind in _UNWRITABLE:
        return _unkept(path, told)
    return damage(path, error)


def _unkept(path: Path, why: str) -> OutputError:
    return OutputError(
        f"the history cannot be kept in {path}: {why}; make room or give the right to write there, "
        "or set DECALAGE_DATA to another folder"
    )


def damage(path: Path, error: Exception) -> DamagedHistoryError:
    """What is raised for a file with ``error`` in it."""
    return DamagedHistoryError(
        f"{path} is damaged ({one_line(error)}); to make it again from what can be read and from the "
        "journals: decalage history rebuild"
    )
