"""Sessions that are not over: which they are, and that one program at a time goes on with one."""

from __future__ import annotations

import errno
import json
import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decalage.audio import AudioChunk, seconds
from decalage.errors import InputError, OutputError, UsageError
from decalage.events import Gap
from decalage.store.journal import Journal, JournalOptions
from decalage.store.journal_folders import EVENTS, SETTINGS, is_held, prune
from decalage.store.journal_reader import read_journal, sound_end
from decalage.store.journal_session import event_line
from decalage.store.journal_unfinished import Reopened, Unfinished, unfinished
from decalage.wire import from_json
from tests.store.journal_kit import (
    GAP,
    MODELS,
    OPTIONS,
    START,
    Disk,
    caption,
    heard,
    kept,
    only,
    pieces,
    shut,
    sound,
    writer,
)

SECOND = 16_000


def found(folder: Path) -> Unfinished:
    return Unfinished.of(read_journal(folder))


@given(first=st.integers(0, 10**9), length=st.integers(1, 10**6))
@settings(deadline=None)
def test_where_an_answer_begins_and_ends_is_kept_to_the_sample(first: int, length: int) -> None:
    gap = Gap(0, seconds(first), seconds(first + length), "overload")
    assert from_json(json.loads(event_line(1, gap))) == gap


def test_a_session_is_gone_on_with_after_its_last_answer(tmp_path: Path) -> None:
    folder = kept(tmp_path, 5, ended=False)
    now = found(folder)
    assert (now.answered, now.next_index, now.next_seq, now.heard) == (SECOND, 1, 3, 5 * SECOND)


def test_the_sound_ends_with_its_last_whole_frame(tmp_path: Path) -> None:
    folder = kept(tmp_path, 7)  # in files of five seconds
    assert sound_end(folder) == 7 * SECOND
    last = max(folder.glob("sound-*"))
    last.write_bytes(last.read_bytes()[: last.stat().st_size // 2])
    content = read_journal(folder)
    assert 5 * SECOND < sound_end(folder) == heard(content.chunks()) < 7 * SECOND
    last.write_bytes(b"")
    assert sound_end(folder) == 5 * SECOND


def renamed(folder: Path, second: int) -> Path:
    """Begun in that second."""
    return folder.rename(folder.with_name(f"20261127T0930{second:02}Z-{folder.name[-8:]}"))


def test_what_can_be_gone_on_with_is_found_the_newest_first(tmp_path: Path) -> None:
    old = renamed(kept(tmp_path, 1, ended=False), 1)
    renamed(kept(tmp_path, 1), 2)  # over
    new = renamed(kept(tmp_path, 1, ended=False), 3)
    (renamed(kept(tmp_path, 1, ended=False), 4) / SETTINGS).write_text("{")
    for path in renamed(kept(tmp_path, 1, ended=False), 5).glob("sound-*"):
        path.unlink()
    held = renamed(kept(tmp_path, 1, ended=False), 6)
    holder = Reopened(held)
    assert [each.content.folder for each in unfinished(tmp_path)] == [new, old]
    holder.close()
    assert [each.content.folder for each in unfinished(tmp_path)] == [held, new, old]
    assert list(unfinished(tmp_path / "nowhere")) == []


def test_one_that_cannot_be_looked_into_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_ = renamed(kept(tmp_path, 1, ended=False), 1)
    shut(monkeypatch, renamed(kept(tmp_path, 1, ended=False), 2))
    assert [each.content.folder for each in unfinished(tmp_path)] == [open_]


def test_a_session_that_is_being_written_is_nobody_elses_until_its_program_is_gone(tmp_path: Path) -> None:
    child = writer(tmp_path, sync_s=0.005)
    assert child.stdin is not None
    assert child.stdout is not None
    with child:
        child.stdin.write("0\n")
        child.stdin.flush()
        while int(child.stdout.readline()) == 0:
            continue
        assert list(unfinished(tmp_path)) == []
        with pytest.raises(UsageError, match="another program"):
            Reopened(only(tmp_path))
        child.kill()
    assert [each.content.folder for each in unfinished(tmp_path)] == [only(tmp_path)]


def test_one_program_at_a_time_goes_on_with_a_session(tmp_path: Path) -> None:
    folder = kept(tmp_path, 1, ended=False)
    first = Reopened(folder)
    with pytest.raises(UsageError, match="another program"):
        Reopened(folder)
    prune(tmp_path, most_bytes=0, longest_s=0, now=folder.stat().st_mtime + 100)
    assert folder.is_dir(), "what is gone on with is not deleted"
    first.close()
    first.close()
    Reopened(folder).close()
    assert not is_held(folder)


def test_what_is_added_follows_what_was_there_and_ends_it(tmp_path: Path) -> None:
    folder = kept(tmp_path, 4, ended=False)
    before = (folder / EVENTS).read_bytes()
    journal = Reopened(folder)
    journal.event(3, GAP)
    journal.end()
    assert (folder / EVENTS).read_bytes().startswith(before)
    content = read_journal(folder)
    assert [(each.seq, each.event) for each in content.events] == [(1, START), (2, caption(0)), (3, GAP)]
    assert content.ending == "closed"
    assert json.loads((folder / EVENTS).read_bytes().splitlines()[-1])["samples"] == 4 * SECOND


def test_a_line_that_was_cut_off_anywhere_is_written_again(tmp_path: Path) -> None:
    folder = kept(tmp_path, 1, ended=False)
    path = folder / EVENTS
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        journal = Reopened(folder)
        lines = journal.found.next_seq - 1
        for seq, event in ((1, START), (2, caption(0)))[lines:]:
            journal.event(seq, event)
        journal.close()
        assert lines == (cut >= first) + (cut == len(whole))
        assert path.read_bytes() == whole


@pytest.mark.parametrize("damage", [bytes(200), b"\xff\xfe\n", b'{"type":"gap","ind\n', b"[]\n"])
def test_from_the_first_damaged_line_on_all_is_answered_again(tmp_path: Path, damage: bytes) -> None:
    """As a machine leaves it that lost its power: what came later is there, what came before is not."""
    folder = kept(tmp_path, 4, ended=False)
    path = folder / EVENTS
    whole = path.read_bytes()
    path.write_bytes(whole + damage + event_line(4, replace(GAP, index=2)))
    journal = Reopened(folder)
    assert (journal.found.next_index, journal.found.next_seq) == (1, 3)
    journal.event(3, GAP)
    journal.close()
    assert path.read_bytes() == whole + event_line(3, GAP)


@pytest.mark.parametrize("ended", [True, False])
def test_a_damaged_journal_is_left_as_it_is_until_something_new_is_written(
    tmp_path: Path, ended: bool
) -> None:
    path = kept(tmp_path, 4, ended=ended) / EVENTS
    first, rest = path.read_bytes().split(b"\n", 1)
    path.write_bytes(first + b"\n[]\n" + rest)
    before, written = path.read_bytes(), path.stat().st_mtime_ns
    journal = Reopened(path.parent)
    assert (journal.found.next_seq, journal.found.content.ending) == (2, None)
    journal.close()
    assert (path.read_bytes(), path.stat().st_mtime_ns) == (before, written)


def test_a_journal_that_stopped_is_gone_on_with_where_it_stopped(tmp_path: Path) -> None:
    folder = kept(tmp_path, 4, ended=False)
    with (folder / EVENTS).open("ab") as file:
        file.write(b'{"type":"gap","index":1,"sta\n{"type":"journal","ending":"stopped","samples":64000}\n')
    assert read_journal(folder).ending == "stopped"
    journal = Reopened(folder)
    journal.event(3, GAP)
    journal.end()
    content = read_journal(folder)
    assert ([each.seq for each in content.events], content.ending) == ([1, 2, 3], "closed")


def test_each_answer_is_on_the_disk_before_it_is_told(tmp_path: Path) -> None:
    folder = kept(tmp_path, 1, ended=False)
    disk = Disk()
    journal = Reopened(folder, sync=disk.sync)
    for seq in (3, 4):
        journal.event(seq, replace(GAP, index=seq - 2))
        content = read_journal(disk.after_power_loss(folder, tmp_path / f"after-{seq}", EVENTS))
        assert content.events[-1].seq == seq
    journal.end()
    assert read_journal(disk.after_power_loss(folder, tmp_path / "end", EVENTS)).ending == "closed"


def test_one_that_cannot_be_closed_is_let_go_of_without_a_word(tmp_path: Path) -> None:
    """What does not get to the disk is answered again."""

    def broken(descriptor: int) -> None:
        os.close(descriptor)
        raise OSError(errno.EIO, "the disk is broken")

    folder = kept(tmp_path, 1, ended=False)
    journal = Reopened(folder, sync=broken)
    with pytest.raises(OSError, match="the disk is broken"):
        journal.event(3, GAP)
    journal.close()
    Reopened(folder).close()


def test_what_is_no_journal_or_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"events\.jsonl is not there"):
        Reopened(tmp_path)
    (tmp_path / EVENTS).mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        Reopened(tmp_path)
    folder = kept(tmp_path / "journal", 1, ended=False)
    (folder / SETTINGS).unlink()
    with pytest.raises(InputError, match=r"session\.json is not there"):
        Reopened(folder)
    assert not is_held(folder)


def test_sound_and_answers_of_two_threads_are_kept_whole_and_in_order(tmp_path: Path) -> None:
    journal = Journal(MODELS, tmp_path, JournalOptions(waiting_s=10_000))
    recording = journal.begin(START, OPTIONS)
    begin = threading.Barrier(2)

    def speak() -> None:
        begin.wait()
        for chunk in pieces(0, 60 * SECOND, 160):
            recording.sound(chunk)

    speaking = threading.Thread(target=speak)
    speaking.start()
    begin.wait()
    for seq in range(1, 501):
        recording.event(seq, caption(seq - 1))
    speaking.join()
    recording.close()
    journal.close()
    content = read_journal(only(tmp_path))
    assert heard(content.chunks()) == 60 * SECOND
    assert [each.seq for each in content.events] == list(range(1, 501))
    assert content.ending == "closed"


def test_what_is_left_claims_no_end_and_takes_nothing_more(tmp_path: Path) -> None:
    journal = Journal(MODELS, tmp_path)
    recording = journal.begin(START, OPTIONS)
    recording.sound(AudioChunk(0, sound(0, 5000)))
    recording.leave()
    recording.event(1, caption(0))
    recording.close()
    journal.close()
    content = read_journal(only(tmp_path))
    assert (heard(content.chunks()), content.events, content.ending) == (5000, (), None)


def test_one_that_is_left_is_free_while_its_program_goes_on(tmp_path: Path) -> None:
    free = threading.Event()
    journal = Journal(MODELS, tmp_path, tell=lambda _line: free.set())
    recording, other = journal.begin(START, OPTIONS), journal.begin(START, OPTIONS)
    recording.sound(AudioChunk(0, sound(0, 5000)))
    recording.leave()
    other.folder.folder.touch()  # something has its name: it is told, after all that was handed over before
    other.sound(AudioChunk(0, sound(0, 5000)))
    assert free.wait(30)
    Reopened(recording.folder.folder).close()
    journal.close()
