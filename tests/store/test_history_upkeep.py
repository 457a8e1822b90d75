"""The history as it is brought up to date: before journals go, and from journals that are damaged."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from decalage.errors import OutputError
from decalage.store.history import History
from decalage.store.history_upkeep import catch_up, forget, keep_text
from decalage.store.journal import Journal, JournalOptions
from decalage.store.journal_unfinished import Reopened
from decalage.testing import ManualClock
from tests.store.history_kit import WithoutSearch, names, said, session
from tests.store.journal_kit import GAP, MODELS, shut

FIRST, SECOND = (f"2026010{day}T030405Z-{day:08x}" for day in (1, 2))
GOODBYE = said(4, en="Goodbye.", pt="Adeus.")
EVENTS = (said(0, en="The country is large.", pt="O país é grande."), GAP, said(2, en="It was lost."))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.sqlite"


def pruned(
    root: Path, told: list[str], *, most_bytes: int, before_delete: Callable[[Path], None] = keep_text
) -> None:
    """A program has kept journals in ``root`` for a minute."""
    clock, options = ManualClock(), JournalOptions(most_bytes=most_bytes)
    journal = Journal(MODELS, root, options, before_delete=before_delete, clock=clock, tell=told.append)
    clock.until_waiting(1)
    clock.advance(60.0)
    clock.until_waiting(1)
    journal.close()


def aged(folder: Path) -> None:
    """``folder``, last written ten days ago."""
    then = time.time() - 864_000
    for path in (*folder.iterdir(), folder):
        os.utime(path, (then, then))


@pytest.mark.parametrize(("ended", "most_bytes"), [(True, 10**9), (False, 10**9), (True, 1)])
def test_the_text_outlives_its_journal(root: Path, path: Path, ended: bool, most_bytes: int) -> None:
    told: list[str] = []
    aged(session(root, EVENTS, FIRST, ended=ended))
    broken = session(root, EVENTS, SECOND)
    (broken / "session.json").write_text("{")  # there is no text to be had of it
    aged(broken)
    pruned(root, told, most_bytes=most_bytes)
    assert (list(root.iterdir()), told) == ([], [])
    with History(path) as history:
        assert catch_up(history, root).told == ()
        assert names(history, "country") == [FIRST]


def test_a_journal_stays_while_there_is_room_where_its_text_cannot_be_kept(root: Path, path: Path) -> None:
    told: list[str] = []
    aged(session(root, EVENTS, FIRST))
    path.write_text("this is no database" * 100)
    pruned(root, told, most_bytes=10**9)
    assert [folder.name for folder in root.iterdir()] == [FIRST]
    assert len(told) == 1
    assert "decalage history rebuild" in told[0]
    pruned(root, told, most_bytes=1)
    assert list(root.iterdir()) == []


def test_where_there_can_be_no_history_journals_go_without(root: Path, path: Path) -> None:
    told: list[str] = []
    aged(session(root, EVENTS, FIRST))
    without = partial(History, connect=partial(sqlite3.connect, factory=WithoutSearch))
    pruned(root, told, most_bytes=10**9, before_delete=partial(keep_text, open_history=without))
    assert (list(root.iterdir()), told) == ([], [])
    assert path.stat().st_size == 0


def test_what_is_answered_again_takes_the_place_of_what_was_kept_when_there_is_no_less(
    root: Path, path: Path
) -> None:
    """A journal is damaged in its middle, and a resume that answers the rest anew is killed on the way."""
    folder = session(root, [*EVENTS, GOODBYE], FIRST)
    events = folder / "events.jsonl"
    with History(path) as history:
        catch_up(history, root)
        lines = events.read_bytes().splitlines(keepends=True)
        events.write_bytes(b"".join([*lines[:2], b"[]\n", *lines[2:]]))
        with closing(Reopened(folder)) as journal:
            assert catch_up(history, root).written == ()
            assert len(history.read(FIRST).events) == 5
            journal.event(3, GAP)
        catch_up(history, root)
        assert names(history, "goodbye") == [FIRST]
        with closing(Reopened(folder)) as journal:
            for seq, event in enumerate([*EVENTS[2:], replace(GOODBYE, text={"en": "So long."})], 4):
                journal.event(seq, event)
        catch_up(history, root)
        assert (names(history, "goodbye"), names(history, "long")) == ([], [FIRST])


def test_a_journal_that_cannot_be_looked_into_is_told_in_a_line_and_hinders_no_other(
    root: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session(root, EVENTS, SECOND)
    shut(monkeypatch, session(root, EVENTS, FIRST))
    with History(path) as history:
        upkeep = catch_up(history, root)
        assert (upkeep.unreadable, len(upkeep.told)) == ((FIRST,), 1)
        assert "Permission denied" in upkeep.told[0]
        assert names(history, "country") == [SECOND]
        with pytest.raises(OutputError, match="cannot be deleted: permission denied"):
            forget(history, root, [FIRST])
