"""The history: what journals told stays, whole, found and exact, until it is deleted without a trace."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from decalage.errors import InputError, UsageError
from decalage.events import Failure, Rejected
from decalage.store.history import History
from decalage.store.history_upkeep import catch_up, forget
from decalage.store.history_values import Rendition
from decalage.store.journal import Journal
from decalage.store.journal_reader import read_journal
from tests.store.history_kit import contents, grown, names, placed, said, session
from tests.store.journal_kit import GAP, MODELS, OPTIONS, START, only, pieces, writer

FIRST, SECOND, THIRD = (f"2026010{day}T030405Z-{day:08x}" for day in (1, 2, 3))
COUNTRY = said(0, en="The country is large.", pt="O país é grande.", es="El país es grande.")
GOODBYE = said(4, en="Goodbye.", pt="Adeus.")
FAILED = Failure(2, 2.0, 3.0, "mt", "pt: out of memory", {"en": "It was lost."})
EVENTS = (COUNTRY, GAP, FAILED, Rejected(3, 3.0, 3.5, "loop"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.sqlite"


def test_what_was_said_is_found_in_each_language_without_its_accents(root: Path, path: Path) -> None:
    session(root, EVENTS, FIRST)
    with History(path) as history:
        catch_up(history, root)
        (hit,) = history.search(["PAIS"]).hits
        assert (hit.session, hit.utterance, hit.start, hit.end) == (FIRST, 0, 0.0, 1.0)
        assert list(hit.text.items()) == list(COUNTRY.text.items())
        assert dict(hit.matched) == {"pt": ((2, 6),), "es": ((3, 7),)}
        assert names(history, "grande", language="es") == [FIRST]
        assert names(history, "country", language="es") == []
        assert names(history, "lost") == [FIRST]  # a transcript without a translation is one
        assert names(history, "países") == []
        assert names(history, "pai*", "gran*") == [FIRST]


def test_it_is_listed_with_what_the_journal_tells(root: Path, path: Path) -> None:
    session(root, [GOODBYE], SECOND, ended=False)
    session(root, EVENTS, FIRST)
    with History(path) as history:
        catch_up(history, root)
        first, second = history.listed()
    assert (first.name, first.began, first.ending) == (FIRST, "2026-01-01T03:04:05Z", "closed")
    assert (first.captions, first.failures, first.rejected, first.gaps) == (1, 1, 1, 1)
    assert (first.source, first.targets, first.model) == (("en",), ("pt", "es"), "base")
    assert (first.duration_s, first.first_words) == (4.0, "The country is large.")
    assert (second.name, second.ending, second.targets) == (SECOND, None, ("pt",))


def test_what_is_read_back_is_what_was_told(root: Path, path: Path) -> None:
    folder = session(root, EVENTS, FIRST)
    with History(path) as history:
        catch_up(history, root)
        text = history.read(FIRST)
    assert text.events == (START, *EVENTS)
    assert text.settings == read_journal(folder).settings
    assert text.settings.options == OPTIONS


def test_the_newest_utterances_come_first_and_no_more_than_asked_for(root: Path, path: Path) -> None:
    for name in (SECOND, THIRD, FIRST):
        session(root, [said(index, en=f"word {index}") for index in range(3)], name)
    with History(path) as history:
        catch_up(history, root)
        found = history.search(["word"], limit=4)
    assert [(hit.session, hit.utterance) for hit in found.hits] == [
        (THIRD, 0),
        (THIRD, 1),
        (THIRD, 2),
        (SECOND, 0),
    ]
    assert found.total == 9


def test_bringing_it_up_to_date_again_changes_nothing(root: Path, path: Path) -> None:
    folder = session(root, EVENTS, FIRST)
    with History(path) as history:
        catch_up(history, root)
        once, written = contents(path), path.read_bytes()
        catch_up(history, root)
        assert path.read_bytes() == written
        os.utime(folder / "events.jsonl")  # looks as if more had been told
        catch_up(history, root)
        assert path.read_bytes() != written
    assert contents(path) == once


def test_a_session_that_went_on_is_read_again_and_what_it_was_translated_into_stays(
    root: Path, path: Path
) -> None:
    folder = session(root, EVENTS, FIRST, ended=False)
    with History(path) as history:
        catch_up(history, root)
        history.add(FIRST, Rendition("de", {0: "Das Land ist groß."}, {2: "out of memory"}))
        history.add(FIRST, Rendition("pt", {0: "O país é enorme."}))
        grown(folder, GOODBYE)
        catch_up(history, root)
        assert history.read(FIRST).events == (START, *EVENTS, GOODBYE)
        assert history.renditions(FIRST) == [
            Rendition("de", {0: "Das Land ist groß."}, {2: "out of memory"}),
            Rendition("pt", {0: "O país é enorme."}),
        ]
        assert names(history, "adeus") == names(history, "land") == names(history, "enorme") == [FIRST]
        assert names(history, "grande", language="pt") == []  # it was replaced
        (listed,) = history.listed()
        assert listed.captions == 2


def test_a_session_that_is_being_written_comes_when_it_has_ended(root: Path, path: Path) -> None:
    child = writer(root, sync_s=0.005)
    assert child.stdin is not None
    assert child.stdout is not None
    with child, History(path) as history:
        child.stdin.write("0\n1\n")
        child.stdin.flush()
        while not int(child.stdout.readline()):
            """Its folder is being made."""
        folder = only(root)
        old = time.time() - 3600
        os.utime(folder / "session.json", (old, old))
        upkeep = catch_up(history, root)
        assert (upkeep.written, upkeep.told, history.listed()) == ((folder.name,), (), [])
        with pytest.raises(UsageError, match="is being written; end it first"):
            forget(history, root, [folder.name])
        assert folder.is_dir()
        child.kill()
        child.wait()
        assert catch_up(history, root).written == ()
        assert [each.ending for each in history.listed()] == [None]


def test_one_that_has_just_begun_is_left_alone(root: Path, path: Path) -> None:
    """Its writer may not have locked it yet."""
    folder = session(root, EVENTS, FIRST, ended=False)
    os.utime(folder / "session.json")
    with History(path) as history:
        assert catch_up(history, root).written == (FIRST,)
        with pytest.raises(UsageError, match="being written"):
            forget(history, root, [FIRST])
    assert folder.is_dir()


def test_a_damaged_journal_is_told_in_a_line_and_hinders_no_other(root: Path, path: Path) -> None:
    broken = session(root, EVENTS, FIRST)
    (broken / "session.json").write_text("{")
    os.utime(broken / "session.json", (0, 0))
    empty = session(root, EVENTS, SECOND)
    (empty / "events.jsonl").unlink()
    session(root, EVENTS, THIRD)
    with History(path) as history:
        upkeep = catch_up(history, root)
        assert upkeep.unreadable == (FIRST, SECOND)
        for line, name in zip(upkeep.told, (FIRST, SECOND), strict=True):
            assert line.endswith(f"decalage history delete {name}")
        assert not [line for line in upkeep.told if "\n" in line]
        assert names(history, "country") == [THIRD]
        forget(history, root, upkeep.unreadable)
        assert catch_up(history, root).told == ()


def test_odd_lines_of_a_journal_cost_themselves_alone(root: Path, path: Path) -> None:
    events = session(root, [COUNTRY], FIRST) / "events.jsonl"
    line = json.loads(events.read_bytes().splitlines()[1])
    odd: list[dict[str, object]] = [
        {"index": 10**30},
        {"start": float("nan")},
        {"text": {"en": "\ud800 x"}},
    ]
    with events.open("ab") as file:
        for number, change in enumerate(odd, 50):
            body = {**line, "index": number, "seq": number, **change}
            file.write(json.dumps(body).encode() + b"\n")
    with History(path) as history:
        assert catch_up(history, root).told == ()
        assert names(history, "country") == names(history, "x") == [FIRST]


class Failing(sqlite3.Connection):
    """Whose statements fail from the given one on, as on a full disk."""

    left = 10**9

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        type(self).left -= 1
        if type(self).left < 0 and arguments[0] != "ROLLBACK":
            raise sqlite3.OperationalError("database or disk is full")
        return super().execute(*arguments)


def test_a_session_is_kept_whole_or_not_at_all(root: Path, path: Path) -> None:
    folder = session(root, [COUNTRY], FIRST)
    with History(path) as history:
        catch_up(history, root)
    before = contents(path)
    grown(folder, GOODBYE)
    whole = path.with_name("whole.sqlite")
    shutil.copy(path, whole)
    with History(whole) as history:
        catch_up(history, root)
    after = contents(whole)
    seen = []
    for left in range(100):
        Failing.left = 10**9
        with History(path, connect=partial(sqlite3.connect, factory=Failing)) as history:
            Failing.left = left
            try:
                catch_up(history, root)
            except InputError:
                assert contents(path) == before
                seen.append(left)
            else:
                break
    assert contents(path) == after
    assert len(seen) > 10


def test_nobody_else_may_read_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DECALAGE_DATA", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    before = os.umask(0)
    try:
        with History() as history:
            path = history.path
            history.forget([])
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_folder_that_the_environment_names_is_left_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DECALAGE_DATA", str(tmp_path / "shared"))
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o755)
    with History() as history:
        assert history.path == tmp_path / "shared" / "history.sqlite"
    assert stat.S_IMODE((tmp_path / "shared").stat().st_mode) == 0o755
    assert stat.S_IMODE(history.path.stat().st_mode) == 0o600


WORDS = "abcdefghij"


def phrase(number: int, tongue: str) -> str:
    """Words that are nowhere else."""
    return " ".join(f"{tongue}{number:04d}{letter * 9}" for letter in WORDS)


def test_deletion_leaves_no_text_in_any_file(root: Path, path: Path) -> None:
    """Enough of it that pages split and are used again; every second session goes."""
    for number in range(12):
        events = [
            said(index, en=phrase(100 * number + index, "en"), pt=phrase(100 * number + index, "pt"))
            for index in range(40)
        ]
        session(root, events, f"20260101T0304{number:02d}Z-{number:08x}")
    with History(path) as history:
        catch_up(history, root)
        every = sorted(folder.name for folder in root.iterdir())
        for name in every:
            history.add(name, Rendition("de", {0: phrase(int(name[-2:], 16), "de")}))
        secret = [f"{tongue}{number:04d}a" for tongue in ("en", "pt") for number in range(1200)]
        assert sum(word.encode() in path.read_bytes() for word in secret) > 700
        forget(history, root, every[::2])
    left = b"".join(file.read_bytes() for file in root.parent.rglob("*") if file.is_file())
    assert sorted(file.name for file in root.parent.iterdir()) == ["history.sqlite", "journal"]
    for number in range(12):
        for tongue in ("en", "pt"):
            for index in range(40):
                for letter in WORDS:
                    word = f"{tongue}{100 * number + index:04d}{letter * 9}".encode()
                    assert (word in left) == bool(number % 2)
    with History(path) as history:
        assert [each.name for each in history.listed()] == every[1::2]
        assert names(history, "en0101aaaaaaaaa") == [every[1]]
        assert names(history, "de0001aaaaaaaaa") == [every[1]]
        assert names(history, "en0001aaaaaaaaa") == names(history, "de0002aaaaaaaaa") == []


def test_the_words_of_what_was_deleted_are_not_in_the_index_either(root: Path, path: Path) -> None:
    session(root, [said(0, en="zanzibar yonder")], FIRST)
    session(root, [said(0, en="something else")], SECOND)
    with History(path) as history:
        catch_up(history, root)
        assert b"zanzibar" in path.read_bytes()
        forget(history, root, [FIRST])
        found = path.read_bytes()
    for part in (b"zanzi", b"anzibar", b"yonder", FIRST.encode()):
        assert part not in found


def test_what_is_deleted_while_another_program_reads_it_is_not_kept(root: Path, path: Path) -> None:
    folder = session(root, EVENTS, FIRST)
    with History(path) as history, History(path) as other:
        catch_up(history, root)
        text = history.read(FIRST)
        forget(other, root, [FIRST])
        assert not history.remember(text, "1", folder.is_dir)
        assert history.listed() == []
        with pytest.raises(InputError, match="not in the history any more"):
            history.add(FIRST, Rendition("de", {0: "Das Land."}))


CATCHING_UP = """
import sys
from pathlib import Path
from decalage.store.history import History
from decalage.store.history_upkeep import catch_up

root = Path(sys.argv[1])
print("here", flush=True)
sys.stdin.readline()
with History(root.parent / "history.sqlite") as history:
    print(*catch_up(history, root).told, len(history.listed()), flush=True)
"""


def test_programs_that_bring_it_up_to_date_at_once_make_one_history(root: Path, path: Path) -> None:
    """Three at the same time, each of which may make the tables and read each journal."""
    for number in range(20):
        session(root, EVENTS, f"20260101T0304{number:02d}Z-{number:08x}")
    command = [sys.executable, "-c", CATCHING_UP, str(root)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    children = [subprocess.Popen(command, text=True, **pipes) for _ in range(3)]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "here\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
    assert [child.communicate(timeout=60) for child in children] == [("20\n", "")] * 3
    with History(path) as history:
        assert len(history.search(["country"], limit=100).hits) == 20
    alone = path.with_name("alone.sqlite")
    with History(alone) as history:
        catch_up(history, root)
    assert texts(path) == texts(alone)


def texts(path: Path) -> list[tuple[object, ...]]:
    """As ``contents``, whatever number each session has."""
    return sorted(((*row[1:],) for row in contents(path)), key=repr)


def kept(root: Path, name: str) -> Path:
    journal = Journal(MODELS, root)
    recording = journal.begin(START, OPTIONS)
    for chunk in pieces(0, 16_000):
        recording.sound(chunk)
    journal.close()
    return placed(only(root), name)


def test_a_session_without_a_word_is_listed(root: Path, path: Path) -> None:
    kept(root, FIRST)
    with History(path) as history:
        catch_up(history, root)
        (listed,) = history.listed()
    assert (listed.first_words, listed.captions, listed.source) == ("", 0, ("en",))
    assert (listed.targets, listed.duration_s) == (("pt", "es"), 0.0)
