"""A history that cannot be opened says why in a line, and what can be read of a damaged one is kept."""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest

from decalage.errors import DecalageError, MissingPartError, OutputError, UsageError
from decalage.store.history import History
from decalage.store.history_database import DamagedHistoryError
from decalage.store.history_upkeep import catch_up, damaged_path, delete_database, rebuild
from decalage.store.history_values import Rendition
from decalage.store.journal_folders import prune
from tests.store.history_kit import WithoutSearch, contents, names, said, session

FIRST, SECOND = "20260101T030405Z-00000001", "20260102T030405Z-00000002"
ALL_S = 10**7


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.sqlite"


def noise(seed: int, count: int) -> bytes:
    """The same each time, and like nothing that a database has."""
    return Random(seed).randbytes(count)  # noqa: S311 - no secret


def filled(path: Path, root: Path) -> None:
    session(root, [said(0, en="Hello."), said(1, en="Goodbye.")], FIRST)
    session(root, [said(0, en=f"Hello again. {'word ' * 3000}")], SECOND)
    with History(path) as history:
        catch_up(history, root)
        history.add(FIRST, Rendition("de", {0: "Hallo."}, {1: "out of memory"}))


def refused(path: Path, **options: Any) -> tuple[type[DecalageError], str]:
    with pytest.raises(DecalageError) as caught, closing(History(path, **options)) as history:
        history.listed()
        history.search(["hello"])
    assert "\n" not in str(caught.value)
    return type(caught.value), str(caught.value)


def test_without_fts5_it_says_what_is_missing(path: Path) -> None:
    kind, told = refused(path, connect=partial(sqlite3.connect, factory=WithoutSearch))
    assert kind is MissingPartError
    assert "built without FTS5" in told
    assert path.stat().st_size == 0
    with History(path) as history:  # and with it, all is there
        assert history.listed() == []


def test_one_of_a_newer_program_is_refused_and_left_as_it_is(path: Path, root: Path) -> None:
    filled(path, root)
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 2")
    before = path.read_bytes()
    kind, told = refused(path)
    assert kind is UsageError
    assert "newer decalage (version 2, this one knows 1)" in told
    with pytest.raises(UsageError, match="newer"):
        rebuild(path, root)
    assert path.read_bytes() == before


def test_a_database_of_another_program_is_refused_and_left_as_it_is(path: Path, root: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE bookmarks (address TEXT)")
    before = path.read_bytes()
    assert refused(path)[0] is UsageError
    assert "another program" in refused(path)[1]
    with pytest.raises(UsageError, match="another program"):
        rebuild(path, root)
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == ["history.sqlite"]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("BEGIN EXCLUSIVE")
        yield


class Impatient(sqlite3.Connection):
    """Waits for nobody."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **{**named, "timeout": 0.0})


def test_one_that_another_program_does_not_let_go_of_is_in_use(path: Path, root: Path) -> None:
    filled(path, root)
    with locked(path):
        kind, told = refused(path, connect=partial(sqlite3.connect, factory=Impatient))
    assert kind is UsageError
    assert "in use by another program" in told
    with History(path) as history:
        assert names(history, "hello") == [SECOND, FIRST]


def test_where_nothing_can_be_written_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert refused(tmp_path / "file" / "history.sqlite")[0] is OutputError
    (tmp_path / "folder").mkdir()
    assert refused(tmp_path / "folder")[0] is OutputError


def test_a_full_disk_is_told_and_what_was_kept_can_be_read(path: Path, root: Path) -> None:
    filled(path, root)
    before = contents(path)
    session(root, [said(0, en="More. " * 50_000)], "20260103T030405Z-00000003")
    with closing(sqlite3.connect(path)) as database:
        (pages,) = database.execute("PRAGMA page_count").fetchone()

    class Full(sqlite3.Connection):
        def __init__(self, *given: Any, **named: Any) -> None:
            super().__init__(*given, **named)
            super().execute(f"PRAGMA max_page_count = {pages}")

    with History(path, connect=partial(sqlite3.connect, factory=Full)) as history:
        with pytest.raises(OutputError, match="full"):
            catch_up(history, root)
        assert names(history, "hello") == [SECOND, FIRST]
    assert contents(path) == before


def test_a_file_that_is_no_database_is_made_again_from_the_journals(path: Path, root: Path) -> None:
    filled(path, root)
    path.write_bytes(b"what a disk may make of a file" * 1000)
    kind, told = refused(path)
    assert kind is DamagedHistoryError
    assert "decalage history rebuild" in told
    made = rebuild(path, root)
    assert (made.kept, made.lost, made.damaged) == (2, (), damaged_path(path))
    assert damaged_path(path).read_bytes().startswith(b"what a disk")
    with History(path) as history:
        assert names(history, "hello") == [SECOND, FIRST]
    delete_database(damaged_path(path))
    assert sorted(each.name for each in path.parent.iterdir()) == ["history.sqlite", "journal"]


def test_a_history_made_again_has_what_it_had_though_the_journals_are_gone(path: Path, root: Path) -> None:
    filled(path, root)
    before = contents(path)
    prune(root, most_bytes=0, longest_s=0, now=path.stat().st_mtime + ALL_S)
    made = rebuild(path, root)
    assert (made.kept, made.lost, made.damaged) == (2, (), None)
    assert contents(path) == before
    assert sorted(each.name for each in path.parent.iterdir()) == ["history.sqlite", "journal"]


def test_of_a_damaged_history_what_can_be_read_is_kept(path: Path, root: Path) -> None:
    """The long text of the second session lies in pages of its own, which are gone."""
    filled(path, root)
    data = bytearray(path.read_bytes())
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute("SELECT pageno FROM dbstat WHERE name = 'event' AND pagetype = 'overflow'")
        for (page,) in rows.fetchall():
            data[4096 * (page - 1) : 4096 * page] = noise(page, 4096)
    path.write_bytes(data)
    prune(root, most_bytes=0, longest_s=0, now=path.stat().st_mtime + ALL_S)
    made = rebuild(path, root)
    assert (made.kept, made.lost, made.damaged) == (1, (SECOND,), damaged_path(path))
    with History(path) as history:
        assert [each.name for each in history.listed()] == [FIRST]
        assert names(history, "hallo") == [FIRST]


def test_what_lies_in_a_damaged_history_is_rather_read_from_its_journal(path: Path, root: Path) -> None:
    filled(path, root)
    with History(path) as history:
        history.remember(history.read(SECOND), "of another time", lambda: True)
    data = path.read_bytes().replace(b"Hello again.", b"Xxxxx xxxxx.")
    path.write_bytes(data)
    rebuild(path, root)
    with History(path) as history:
        assert names(history, "again") == [SECOND]
        assert names(history, "hallo") == [FIRST]  # what was translated afterwards is nowhere else


@pytest.mark.parametrize("damaged", [False, True])
def test_a_history_that_cannot_be_put_into_its_place_leaves_the_old_one_in_it(
    path: Path, root: Path, monkeypatch: pytest.MonkeyPatch, damaged: bool
) -> None:
    filled(path, root)
    if damaged:
        path.write_bytes(b"what a disk may make of a file" * 1000)
    before, replace = path.read_bytes(), os.replace

    def refuse(old: Path, new: Path) -> None:
        if new != path:
            replace(old, new)
            return
        raise OSError(errno.EIO, "the disk is broken")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OutputError, match="the disk is broken"):
        rebuild(path, root)
    assert path.read_bytes() == before
    monkeypatch.undo()
    rebuild(path, root)
    with History(path) as history:
        assert names(history, "hello") == [SECOND, FIRST]
    assert damaged_path(path).exists() == damaged


def test_where_a_file_cannot_have_two_names_the_damaged_one_is_copied(
    path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(path, root)
    path.write_bytes(b"what a disk may make of a file" * 1000)
    before = path.read_bytes()

    def link(*_files: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    rebuild(path, root)
    assert damaged_path(path).read_bytes() == before
    assert stat.S_IMODE(damaged_path(path).stat().st_mode) == 0o600


def test_nothing_that_was_left_beside_the_old_file_meets_the_new_one(path: Path, root: Path) -> None:
    filled(path, root)
    path.write_bytes(b"no database" * 1000)
    path.with_name("history.sqlite-journal").write_bytes(b"left by a program that was killed")
    rebuild(path, root)
    assert not path.with_name("history.sqlite-journal").exists()
    with History(path) as history:
        assert names(history, "hello") == [SECOND, FIRST]


@pytest.mark.parametrize("step", range(0, 100, 7))
def test_bytes_of_another_file_anywhere_are_told_or_do_no_harm(path: Path, root: Path, step: int) -> None:
    """What is asked then is answered, or refused in a line, and the journals make it good."""
    filled(path, root)
    data = bytearray(path.read_bytes())
    place = max(100, len(data) * step // 100)  # what the head of the file says of versions is not damage
    data[place : place + 512] = noise(step, 512)
    path.write_bytes(data)
    told = ""
    try:
        ask_everything(path, root)
    except DecalageError as error:
        told = str(error)
    assert "\n" not in told
    rebuild(path, root)
    with History(path) as history:
        assert names(history, "hello") == [SECOND, FIRST]


def ask_everything(path: Path, root: Path) -> None:
    with History(path) as history:
        catch_up(history, root)
        history.listed()
        history.search(["hello"])
        history.renditions(FIRST)
        history.read(FIRST)
