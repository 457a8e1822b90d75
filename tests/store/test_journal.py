"""The journal: what was handed over is read back, whatever moment its program or machine ended at."""

from __future__ import annotations

import errno
import json
import os
import stat
import sys
import threading
import time
from io import FileIO
from pathlib import Path

import numpy as np
import pytest

from decalage.audio import AudioChunk
from decalage.errors import InputError, OutputError
from decalage.events import Summary
from decalage.store.journal import Journal, JournalOptions
from decalage.store.journal_folders import is_held, journal_folder, prune
from decalage.store.journal_reader import read_journal
from decalage.store.journal_sound import FRAME_SAMPLES, FlacEncoder, read_flac
from decalage.testing import ManualClock
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
    runs,
    sound,
    writer,
)

DAY_S = 86_400.0
SECOND = 16_000


def encoded(samples: np.ndarray, path: Path) -> list[int]:
    """Written to ``path``; where in the file each frame ends."""
    encoder = FlacEncoder()
    parts = [encoder.header, *(encoder.add(samples[at : at + 500]) for at in range(0, len(samples), 500))]
    parts.append(encoder.finish())
    path.write_bytes(b"".join(parts))
    ends, place = [], 0
    for part in parts:
        place += len(part)
        if part and place not in ends:
            ends.append(place)
    return ends[1:]


def decoded(path: Path) -> np.ndarray:
    return np.concatenate([np.zeros(0, np.float32), *read_flac(path)])


@pytest.mark.parametrize("count", [0, 1, 17, FRAME_SAMPLES, FRAME_SAMPLES + 1, 40_003])
def test_sound_of_16_bits_is_kept_bit_for_bit(tmp_path: Path, count: int) -> None:
    encoded(sound(0, count), tmp_path / "a.flac")
    np.testing.assert_array_equal(decoded(tmp_path / "a.flac"), sound(0, count))


def test_finer_sound_is_rounded_and_louder_sound_clipped(tmp_path: Path) -> None:
    fine = np.linspace(-0.999, 0.999, 5001, dtype=np.float32)
    encoded(np.concatenate([fine, np.array([1.5, -1.5, np.nan], np.float32)]), tmp_path / "a.flac")
    back = decoded(tmp_path / "a.flac")
    assert np.abs(back[:5001] - fine).max() <= 1 / 65_536
    assert back[5001:].tolist() == [32_767 / 32_768, -1.0, 0.0]


def test_sound_cut_off_anywhere_is_read_up_to_its_last_whole_frame(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    ends = encoded(sound(0, 12_000), path)
    whole = path.read_bytes()
    assert len(ends) == -(-12_000 // FRAME_SAMPLES)
    for cut in {*range(0, len(whole), 11), *ends, *(end - 1 for end in ends), *range(60)}:
        path.write_bytes(whole[:cut])
        samples = decoded(path)
        frames = sum(end <= cut for end in ends)
        assert len(samples) == min(12_000, frames * FRAME_SAMPLES), cut
        np.testing.assert_array_equal(samples, sound(0, len(samples)))


def test_damaged_sound_is_left_out_and_never_moved(tmp_path: Path) -> None:
    """Bytes flipped, or zeros where a machine that lost its power had promised more."""
    path = tmp_path / "a.flac"
    encoded(sound(0, 12_000), path)
    whole, chance = path.read_bytes(), np.random.default_rng(7)
    for number in range(300):
        damaged = bytearray(whole)
        place = int(chance.integers(0, len(whole)))
        if number % 2:
            damaged[place] ^= 1 << int(chance.integers(8))
        else:
            damaged[place:] = bytes(len(whole) - place + 4096)
        path.write_bytes(damaged)
        samples = decoded(path)
        np.testing.assert_array_equal(samples, sound(0, len(samples)))


def test_a_session_is_read_back_with_its_settings_its_holes_and_its_events(tmp_path: Path) -> None:
    summary = Summary(2, 1, 0, 0, 1, 9.0, 9.0, None, 0.1, None, None, 0.0, None, None, 1.0)
    journal = Journal(MODELS, tmp_path, JournalOptions(segment_s=1.0))
    recording = journal.begin(START, OPTIONS)
    recording.event(1, START)
    for chunk in (*pieces(0, 40_000), *pieces(90_001, 20_000)):
        recording.sound(chunk)
    for seq, event in ((5, caption(0)), (7, GAP), (9, summary)):
        recording.event(seq, event)
    recording.close()
    recording.sound(AudioChunk(200_000, sound(200_000, 100)))  # after its end: nothing
    journal.close()
    content = read_journal(only(tmp_path))
    assert (content.settings.models, content.settings.start) == (MODELS, START)
    assert content.settings.options == OPTIONS
    assert [(each.seq, each.event) for each in content.events] == [
        (1, START),
        (5, caption(0)),
        (7, GAP),
        (9, summary),
    ]
    assert content.ending == "closed"
    (first, before), (second, after) = runs(content.chunks())
    assert (first, len(before), second, len(after)) == (0, 40_000, 90_001, 20_000)
    np.testing.assert_array_equal(before, sound(0, 40_000))
    np.testing.assert_array_equal(after, sound(90_001, 20_000))
    assert recording.statistics().handed == recording.statistics().synced == 110_001


@pytest.mark.parametrize("first", [0, 1, 79_999, 80_000, 80_001, 123_456, 160_000])
def test_sound_is_read_from_any_sample_on(tmp_path: Path, first: int) -> None:
    folder = kept(tmp_path, 10)
    found = runs(read_journal(folder).chunks(first))
    if first == 160_000:
        assert not found
        return
    ((begins, samples),) = found
    assert begins == first
    np.testing.assert_array_equal(samples, sound(first, 160_000 - first))


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        folder = kept(tmp_path / "data" / "journal", 1)
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert len(list(folder.iterdir())) == 3


def test_a_session_without_sound_leaves_nothing(tmp_path: Path) -> None:
    journal = Journal(MODELS, tmp_path)
    recording = journal.begin(START, OPTIONS)
    recording.event(1, START)
    recording.close()
    journal.close()
    assert list(tmp_path.iterdir()) == []


def test_a_session_that_is_not_over_when_the_program_ends_has_no_ending(tmp_path: Path) -> None:
    content = read_journal(kept(tmp_path, 3, ended=False))
    assert (content.ending, heard(content.chunks()), len(content.events)) == (None, 3 * SECOND, 2)


def test_events_cut_off_anywhere_are_read_up_to_the_last_whole_line(tmp_path: Path) -> None:
    folder = kept(tmp_path, 1)
    path = folder / "events.jsonl"
    whole = path.read_bytes()
    ends = [place + 1 for place, byte in enumerate(whole) if byte == ord("\n")]
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        content = read_journal(folder)
        assert len(content.events) == min(2, sum(end <= cut for end in ends))
        assert content.ending == ("closed" if cut == len(whole) else None)


def test_lines_that_say_nothing_are_passed_over(tmp_path: Path) -> None:
    folder = kept(tmp_path, 1)
    path = folder / "events.jsonl"
    odd = [b"", b"\xff", b"[]", b"[" * 100_000, b'{"type":"gap","seq":4}', b'{"type":"new","seq":5}', b"{}"]
    path.write_bytes(b"\n".join([*odd, path.read_bytes()]))
    assert [each.seq for each in read_journal(folder).events] == [1, 2]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"version": 2}, "version 2"),
        ({"version": None}, "version None"),
        ({"start": []}, "no object"),
        ({"start": {"type": "gap"}}, "missing"),
        ({"sound": {"format": "opus"}}, "opus"),
        ({"options": {}}, "missing"),
        ({"options": {"targets": 5}}, "targets cannot be 5"),
    ],
)
def test_settings_that_are_none_of_this_version_are_refused_in_one_line(
    tmp_path: Path, change: dict[str, object], told: str
) -> None:
    folder = kept(tmp_path, 1)
    body = json.loads((folder / "session.json").read_bytes())
    (folder / "session.json").write_text(json.dumps({**body, **change}))
    with pytest.raises(InputError, match=told) as caught:
        read_journal(folder)
    assert "\n" not in str(caught.value)


def test_a_folder_without_a_journal_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="json is not there"):
        read_journal(tmp_path)
    (tmp_path / "session.json").write_text("{")
    (tmp_path / "events.jsonl").touch()
    with pytest.raises(InputError, match="not JSON"):
        read_journal(tmp_path)


def test_what_was_handed_over_is_on_the_disk_two_seconds_later(tmp_path: Path) -> None:
    """The stated bound: ``sync_s`` and the frame that is not full."""
    disk, clock = Disk(), ManualClock()
    journal = Journal(MODELS, tmp_path / "j", clock=clock, sync=disk.sync)
    recording = journal.begin(START, OPTIONS)
    count = 5 * SECOND + 123
    for chunk in pieces(0, count):
        recording.sound(chunk)
    recording.event(2, caption(0))
    disk.until_written(journal)
    folder = recording.folder.folder
    assert recording.statistics().synced == 0
    early = read_journal(disk.after_power_loss(folder, tmp_path / "early"))
    assert (heard(early.chunks()), early.events) == (0, ())
    clock.advance(2.0)
    clock.until_waiting(1)
    late = read_journal(disk.after_power_loss(folder, tmp_path / "late"))
    assert heard(late.chunks()) == recording.statistics().synced
    assert count - recording.statistics().synced < FRAME_SAMPLES
    assert [each.event for each in late.events] == [caption(0)]
    journal.close()


@pytest.mark.parametrize("moment", [2, 3, 5, 9, 17, 33])
def test_a_killed_program_leaves_all_that_was_safe_bit_for_bit(tmp_path: Path, moment: int) -> None:
    child = writer(tmp_path, sync_s=0.005, segment_s=3.0)
    assert child.stdin is not None
    assert child.stdout is not None
    with child:
        child.stdin.write("".join(f"{second}\n" for second in range(120)))
        child.stdin.flush()
        safe = [int(child.stdout.readline()) for _ in range(moment)]
        child.kill()
    content = read_journal(only(tmp_path))
    samples = heard(content.chunks())
    assert max(safe) <= samples <= 120 * SECOND
    assert content.ending is None
    assert [each.seq for each in content.events] == list(range(1, len(content.events) + 1))
    assert content.settings.options == OPTIONS
    prune(tmp_path, most_bytes=0, longest_s=0, now=time.time() + DAY_S)
    assert list(tmp_path.iterdir()) == []  # nobody holds it any more


@pytest.mark.skipif(sys.platform == "win32", reason="no RLIMIT_FSIZE")
def test_a_full_disk_ends_the_journal_with_one_warning_and_nothing_else(tmp_path: Path) -> None:
    """A file here holds 30 000 bytes: about a second and a half."""
    child = writer(tmp_path, most=30_000)
    told, _ = child.communicate("".join(f"{second}\n" for second in range(20)), timeout=60)
    assert child.returncode == 0
    warnings = [line for line in told.splitlines() if not line.isdecimal()]
    name = only(tmp_path).name
    why = os.strerror(27)
    assert warnings == [f"the journal {name} stopped, captions go on: {why}", f"went on {why}"]
    content = read_journal(only(tmp_path))
    samples = heard(content.chunks())
    assert SECOND // 2 < samples < 3 * SECOND
    assert samples % FRAME_SAMPLES == 0
    assert content.ending == "stopped"
    ending = json.loads((only(tmp_path) / "events.jsonl").read_bytes().splitlines()[-1])
    assert ending["why"] == why
    assert SECOND // 2 < ending["samples"] <= samples


def test_a_disk_that_hangs_keeps_nobody_waiting_and_ends_the_journal(tmp_path: Path) -> None:
    hangs, goes_on, told = threading.Event(), threading.Event(), list[str]()

    def sync(_descriptor: int) -> None:
        hangs.set()
        assert goes_on.wait(30)

    options = JournalOptions(waiting_s=5.0)
    journal = Journal(MODELS, tmp_path, options, clock=ManualClock(), sync=sync, tell=told.append)
    recording = journal.begin(START, OPTIONS)
    recording.sound(AudioChunk(0, sound(0, 1600)))
    assert hangs.wait(30)
    for chunk in pieces(1600, 20 * SECOND):
        recording.sound(chunk)
    recording.event(2, caption(0))
    assert recording.stopped == "the disk is too slow"
    assert len(told) == 1
    handed = recording.statistics().handed
    assert handed == 1600 + 5 * SECOND
    goes_on.set()
    journal.close()
    content = read_journal(only(tmp_path))
    assert (heard(content.chunks()), content.events, content.ending) == (handed, (), "stopped")
    assert len(told) == 1


def test_a_folder_that_cannot_be_made_ends_the_journal_of_that_session_alone(tmp_path: Path) -> None:
    told: list[str] = []
    root = tmp_path / "journal"
    journal = Journal(MODELS, root, tell=told.append)
    first, second = journal.begin(START, OPTIONS), journal.begin(START, OPTIONS)
    first.folder.folder.touch()  # something else has its name
    first.sound(AudioChunk(0, sound(0, 1600)))
    second.sound(AudioChunk(0, sound(0, 1600)))
    second.close()
    journal.close()
    assert [os.strerror(17) in line for line in told] == [True]
    assert (first.stopped, second.stopped) == (os.strerror(17), None)
    assert read_journal(second.folder.folder).ending == "closed"


@pytest.mark.parametrize("good", [0, 1, 2, 4])
def test_a_disk_that_fails_leaves_a_session_whole_up_to_there_or_none(tmp_path: Path, good: int) -> None:
    """So many fsyncs succeed: the first two make the folder."""
    done, told = list[int](), list[str]()

    def sync(descriptor: int) -> None:
        if len(done) == good:
            raise OSError(5, "the disk is broken")
        done.append(descriptor)

    journal = Journal(MODELS, tmp_path, JournalOptions(segment_s=1.0), sync=sync, tell=told.append)
    recording = journal.begin(START, OPTIONS)
    recording.event(1, START)
    for chunk in pieces(0, 10 * SECOND):
        recording.sound(chunk)
    recording.close()
    journal.close()
    assert len(told) == 1
    assert recording.stopped == "the disk is broken"
    if good < 2:
        assert list(tmp_path.iterdir()) == []
        return
    content = read_journal(only(tmp_path))
    assert (content.ending, len(content.events)) == ("stopped", 1)
    assert heard(content.chunks()) == (good - 1) * SECOND


def test_a_file_that_cannot_be_closed_ends_the_journal_of_that_session_alone(tmp_path: Path) -> None:
    told, done = list[str](), list[int]()

    def sync(descriptor: int) -> None:
        done.append(descriptor)
        if len(done) == 3:  # the first two make the folder
            os.close(descriptor)
            raise OSError(errno.EIO, "the disk is broken")

    journal = Journal(MODELS, tmp_path, JournalOptions(segment_s=1.0), sync=sync, tell=told.append)
    first, second = journal.begin(START, OPTIONS), journal.begin(START, OPTIONS)
    for chunk in pieces(0, 3 * SECOND):
        first.sound(chunk)
    second.sound(AudioChunk(0, sound(0, 1600)))
    second.close()
    journal.close()
    assert [line for line in told if "the disk is broken" not in line] == []
    assert (first.stopped, second.stopped) == ("the disk is broken", None)
    assert read_journal(second.folder.folder).ending == "closed"


@pytest.mark.skipif(sys.platform == "win32", reason="no flock")
def test_who_looks_whether_a_session_is_held_as_it_begins_does_not_keep_it_unlocked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl  # noqa: PLC0415 - not everywhere

    lock, looking = fcntl.flock, list[threading.Timer]()

    def flock(file: FileIO, how: int) -> None:
        if not looking:  # the first to lock is the writer: another program has just been faster
            probe = (tmp_path / recording.folder.folder.name / "events.jsonl").open("rb")
            lock(probe, fcntl.LOCK_EX)
            looking.append(threading.Timer(0.05, probe.close))
            looking[0].start()
        lock(file, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    disk = Disk()
    journal = Journal(MODELS, tmp_path, clock=ManualClock(), sync=disk.sync)
    recording = journal.begin(START, OPTIONS)
    recording.sound(AudioChunk(0, sound(0, 1600)))
    disk.until_written(journal)
    looking[0].join()
    assert is_held(recording.folder.folder)
    journal.close()


def test_a_journal_that_cannot_be_kept_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="--no-journal"):
        Journal(MODELS, tmp_path / "file")


def test_it_is_kept_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DECALAGE_DATA", str(tmp_path))
    assert journal_folder() == tmp_path / "journal"
    monkeypatch.delenv("DECALAGE_DATA")
    assert journal_folder().name == "journal"
