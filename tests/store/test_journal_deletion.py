"""Which journals are deleted, when, and what keeps them."""

from __future__ import annotations

import errno
import os
import sys
import threading
import time
from pathlib import Path

import pytest

from decalage.audio import AudioChunk
from decalage.errors import OutputError
from decalage.store.journal import Journal, JournalOptions
from decalage.store.journal_folders import is_held, prune, sessions
from decalage.store.journal_reader import read_journal
from decalage.store.journal_unfinished import Reopened
from decalage.testing import ManualClock
from tests.store.journal_kit import MODELS, OPTIONS, START, Disk, heard, kept, pieces, shut, sound

DAY_S = 86_400.0
SECOND = 16_000


def aged(folder: Path, days: float) -> Path:
    """``folder``, last written so long ago, under a name of that time."""
    then = time.time() - days * DAY_S
    name = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(then)) + folder.name[-9:]
    folder = folder.rename(folder.with_name(name))
    for path in (*folder.iterdir(), folder):
        os.utime(path, (then, then))
    return folder


class Day:
    """A wall clock and the time that passes; they go alike unless ``jump`` is called."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = ManualClock()
        self.wall = time.time()
        monkeypatch.setattr(time, "time", lambda: self.wall)

    def minute(self, jump_s: float = 0.0) -> None:
        """The journals are looked through once more; the wall clock is set on by ``jump_s`` before."""
        self.clock.until_waiting(1)
        self.wall += 60 + jump_s
        self.clock.advance(60)
        self.clock.until_waiting(1)


def test_what_is_too_old_goes_a_minute_after_a_journal_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    young, old = aged(kept(tmp_path, 1), 6.9), aged(kept(tmp_path, 1, ended=False), 7.1)
    (tmp_path / "notes").mkdir()  # none of ours
    day = Day(monkeypatch)
    journal = Journal(MODELS, tmp_path, clock=day.clock)
    day.clock.until_waiting(1)
    assert old.exists(), "the wall clock may not be set yet"
    day.minute()
    journal.close()
    assert sorted(tmp_path.iterdir()) == sorted([young, tmp_path / "notes"])


@pytest.mark.parametrize("jump_s", [8 * DAY_S, -8 * DAY_S])
def test_a_wall_clock_that_jumps_deletes_nothing_by_age(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump_s: float
) -> None:
    """Until it is back where it was, or the program starts anew; the limit of size holds."""
    now = time.time()
    folder = aged(kept(tmp_path, 1), 0.01 - min(0.0, jump_s / DAY_S))
    day = Day(monkeypatch)
    day.wall = now + min(0.0, jump_s)
    journal = Journal(MODELS, tmp_path, clock=day.clock)
    day.minute(jump_s)
    day.minute()
    assert folder.exists()
    day.minute(-jump_s)
    day.wall += 7.5 * DAY_S
    day.clock.advance(7.5 * DAY_S)
    day.minute()
    journal.close()
    assert not folder.exists()


def test_what_is_to_be_done_before_a_session_goes_keeps_it_while_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = aged(kept(tmp_path, 1), 9), aged(kept(tmp_path, 5), 8)
    asked, told, day = list[Path](), list[str](), Day(monkeypatch)

    def refuse(folder: Path) -> None:
        asked.append(folder)
        assert is_held(folder), "nobody can go on with it meanwhile"
        raise OutputError("no room on the disk")

    journal = Journal(MODELS, tmp_path, before_delete=refuse, clock=day.clock, tell=told.append)
    for _ in range(3):
        day.minute()
    journal.close()
    assert asked == [first] * 3  # what keeps one most likely keeps the others
    assert told == ["old journals stay while there is room for them: no room on the disk"]
    assert (first.exists(), second.exists()) == (True, True)
    sizes = {session.folder: session.bytes for session in sessions(tmp_path)}
    options = JournalOptions(most_bytes=sizes[second])
    Journal(MODELS, tmp_path, options, before_delete=refuse, clock=ManualClock(), tell=told.append).close()
    assert (first.exists(), second.exists()) == (False, True)


def test_a_session_that_cannot_be_looked_into_keeps_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed, old = aged(kept(tmp_path, 1), 9), aged(kept(tmp_path, 1), 8)
    shut(monkeypatch, closed)
    assert [session.folder for session in sessions(tmp_path)] == [closed, old]
    prune(tmp_path, most_bytes=10**9, longest_s=7 * DAY_S)
    assert [session.folder for session in sessions(tmp_path)] == [closed]
    assert not is_held(closed)


def test_a_folder_of_journals_that_cannot_be_looked_into_is_told_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(tmp_path, 1)
    shut(monkeypatch, tmp_path)
    with pytest.raises(OutputError, match="cannot be read: Permission denied"):
        sessions(tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="no flock")
def test_where_there_are_no_locks_nobody_holds_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl  # noqa: PLC0415 - not everywhere

    def flock(_file: object, _how: int) -> None:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", flock)
    folder = aged(kept(tmp_path, 1, ended=False), 8)
    assert not is_held(folder)
    Reopened(folder).close()
    prune(tmp_path, most_bytes=10**9, longest_s=0.0, now=time.time() + 100)
    assert sessions(tmp_path) == []


def test_the_oldest_go_until_there_is_room_but_none_that_goes_on(tmp_path: Path) -> None:
    folders = [aged(kept(tmp_path, 5), days) for days in (5, 4, 3)]
    (size,) = {session.bytes for session in sessions(tmp_path)}
    disk = Disk()
    journal = Journal(MODELS, tmp_path, sync=disk.sync, clock=ManualClock())
    running = journal.begin(START, OPTIONS)
    running.sound(AudioChunk(0, sound(0, 1600)))
    disk.until_written(journal)
    most = size * 3 // 2
    assert size < prune(tmp_path, most_bytes=most, longest_s=7 * DAY_S, now=time.time() + 100) <= most
    assert not folders[0].exists()
    assert not folders[1].exists()
    assert folders[2].exists()
    prune(tmp_path, most_bytes=0, longest_s=0, now=time.time() + 100)
    assert len(sessions(tmp_path)) == 2  # the one, and the one that was begun to wait for it
    assert running.folder.folder.exists()
    journal.close()
    prune(tmp_path, most_bytes=0, longest_s=0, now=time.time() + 100)
    assert sessions(tmp_path) == []


def test_sessions_that_go_on_stop_where_they_alone_are_too_much(tmp_path: Path) -> None:
    told: list[str] = []
    disk, clock, warned = Disk(), ManualClock(), threading.Event()

    def tell(warning: str) -> None:
        told.append(warning)
        warned.set()

    options = JournalOptions(most_bytes=1_000_000)
    journal = Journal(MODELS, tmp_path, options, clock=clock, sync=disk.sync, tell=tell)
    clock.until_waiting(1)  # it has looked at what there is
    recording = journal.begin(START, OPTIONS)
    for chunk in pieces(0, 40 * SECOND):
        recording.sound(chunk)
    disk.until_written(journal)
    clock.advance(60.0)
    assert warned.wait(30)
    recording.sound(AudioChunk(40 * SECOND, sound(40 * SECOND, 1600)))
    journal.close()
    assert "more than 1 MB" in told[0]
    content = read_journal(recording.folder.folder)
    assert (content.ending, heard(content.chunks())) == ("stopped", 40 * SECOND)


def test_what_was_being_deleted_when_the_program_ended_is_deleted(tmp_path: Path) -> None:
    folder = kept(tmp_path, 1)
    folder.rename(tmp_path / f".leaving-{folder.name}")
    assert sessions(tmp_path) == []
    prune(tmp_path, most_bytes=10**9, longest_s=DAY_S)
    assert list(tmp_path.iterdir()) == []
