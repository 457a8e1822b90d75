"""What is to be done: by content and settings, not by name; and how far it is."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decalage.app.batch.entries import Entry, gather
from decalage.app.batch.fingerprint import fingerprint
from decalage.app.batch.folder import ResultFolder, made_file
from decalage.app.batch.foresee import Foreseen, foresee, lines
from decalage.app.batch.outcome import Outcome
from decalage.app.batch.plan import Forms, Reuse, Task, find_reuse, make_tasks
from decalage.app.batch.probe import probe
from decalage.app.batch.record import Record, Records
from decalage.app.batch.report import make_report
from decalage.app.batch.screen import totals
from decalage.app.batch.standing import Standing, length, line, printable, speed_before
from decalage.config import Term
from decalage.errors import UsageError
from decalage.store.catalogue import WHISPER_FILES
from decalage.store.files import sha256
from decalage.testing.clock import ManualClock
from tests.app.batch_kit import PLAIN, record_of, recording, refuse, tasks_for


def done(folder: ResultFolder, task: Task, **changed: object) -> Record:
    """Give ``task`` a result set, as if it had been captioned."""
    digest = sha256(task.path)
    known: dict[str, Any] = {
        "source": str(task.path),
        "sha256": digest,
        "stamp": task.stamp,
        "fingerprint": task.fingerprint,
        "words": task.settings.words,
        "show": task.show,
        "files": task.files,
    }
    record = record_of(task.name, **{**known, **changed})
    made = folder.begin()
    for suffix in record.files:
        made_file(made, suffix).write_text("a result")
    folder.commit(made, record)
    folder.records.add(record)
    return record


@pytest.mark.parametrize(
    "changed",
    [
        {"source": "pt", "targets": ("en",)},
        {"targets": ("es",)},
        {"targets": ("pt", "es")},
        {"model": "tiny.en"},
        {"beam": 5},
        {"engine": "ctranslate2"},
        {"compute_type": "float32"},
        {"encoder_window": 20.0},
        {"end_silence_s": 0.5},
        {"max_utterance_s": 20.0},
        {"prompt": "Ann"},
        {"terms": (Term("Ann"),)},
        {"duration_s": 60.0},
    ],
    ids=str,
)
def test_other_settings_have_another_fingerprint(changed: dict[str, object]) -> None:
    assert fingerprint(replace(PLAIN, **changed)) != fingerprint(PLAIN)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changed",
    [
        {"workers": 7},
        {"threads": 3},
        {"runtime": "pool"},
        {"offline": True},
        {"targets": ("pt-BR",)},
        {"words": True},
    ],
    ids=str,
)
def test_settings_that_change_no_text_have_the_same_fingerprint(changed: dict[str, object]) -> None:
    assert fingerprint(replace(PLAIN, **changed)) == fingerprint(PLAIN)  # type: ignore[arg-type]


@pytest.mark.parametrize("languages", [("en", ("en",)), ("fr", ("en",)), ("auto", ("en",))], ids=str)
def test_a_model_counts_by_what_it_is_made_of(tmp_path: Path, languages: tuple[str, tuple[str, ...]]) -> None:
    made = {}
    for name, weights in (("one", b"1"), ("copy", b"1"), ("other", b"2")):
        folder = tmp_path / name
        folder.mkdir()
        for each in WHISPER_FILES:
            (folder / each).write_text("{}")
        (folder / "model.bin").write_bytes(weights)
        source, targets = languages
        made[name] = fingerprint(replace(PLAIN, source=source, targets=targets, model=str(folder)))
    assert made["one"] == made["copy"]
    assert made["one"] != made["other"]


def test_what_was_said_of_a_file_goes_before_what_was_said_of_all(tmp_path: Path) -> None:
    recording(tmp_path / "a.wav", 1)
    (entry,) = gather([str(tmp_path / "a.wav")], [], results=tmp_path)
    folder = ResultFolder(tmp_path / "out")
    (task,) = make_tasks([replace(entry, source="pt", targets=("en", "es"))], PLAIN, Forms(("srt",)), folder)
    assert (task.settings.source, task.settings.targets) == ("pt", ("en", "es"))
    assert task.files == {"en.srt": "a.en.srt", "es.srt": "a.es.srt"}
    with pytest.raises(UsageError, match=r"list\.csv, line 3: 'english' is not a language code"):
        make_tasks(
            [replace(entry, targets=("english",), place="list.csv, line 3")], PLAIN, Forms(("srt",)), folder
        )


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return recording(tmp_path / "in" / "talk.wav", 1, 2).parent


def test_what_is_done_is_not_done_again(archive: Path, tmp_path: Path) -> None:
    with ResultFolder(tmp_path / "out") as folder:
        (task,) = tasks_for(folder, [archive])
        assert task.sha256 is None
        assert find_reuse(task, sha256(task.path), folder) is None
        record = done(folder, task)
        (again,) = tasks_for(folder, [archive])
        assert again.sha256 == record.sha256
        reuse = find_reuse(again, record.sha256, folder)
        assert reuse == Reuse(record)
        assert reuse.whole


def test_other_content_or_settings_or_a_failure_are_done_again(archive: Path, tmp_path: Path) -> None:
    with ResultFolder(tmp_path / "out") as folder:
        (task,) = tasks_for(folder, [archive])
        record = done(folder, task)
        (other,) = tasks_for(folder, [archive], replace(PLAIN, beam=2))
        assert other.name == task.name
        assert find_reuse(other, record.sha256, folder) is None
        assert find_reuse(task, "another", folder) is None
        done(folder, task, quality="incomplete")
        assert find_reuse(task, record.sha256, folder) is None
        done(folder, task, quality="damaged")
        assert find_reuse(task, record.sha256, folder) is not None


def test_words_with_times_are_good_enough_for_who_wants_none_but_not_the_other_way(
    archive: Path, tmp_path: Path
) -> None:
    with ResultFolder(tmp_path / "out") as folder:
        (task,) = tasks_for(folder, [archive])
        record = done(folder, task, words=False)
        (timed,) = tasks_for(folder, [archive], replace(PLAIN, words=True))
        assert find_reuse(timed, record.sha256, folder) is None
        done(folder, task, words=True)
        assert find_reuse(task, record.sha256, folder) is not None


def test_a_moved_file_keeps_its_results_and_a_renamed_one_is_given_copies(
    archive: Path, tmp_path: Path
) -> None:
    with ResultFolder(tmp_path / "out") as folder:
        (task,) = tasks_for(folder, [archive])
        record = done(folder, task)
        archive.rename(tmp_path / "moved")
        (moved,) = tasks_for(folder, [tmp_path / "moved"])
        assert moved.name == "talk"
        assert find_reuse(moved, record.sha256, folder) == Reuse(record)
        (tmp_path / "moved" / "talk.wav").rename(tmp_path / "moved" / "lecture.wav")
        (renamed,) = tasks_for(folder, [tmp_path / "moved"])
        reuse = find_reuse(renamed, record.sha256, folder)
        assert renamed.name == "lecture"
        assert reuse == Reuse(record, copied=frozenset({"srt", "txt", "jsonl"}))


def test_a_lost_file_and_one_more_format_are_written_from_the_events(archive: Path, tmp_path: Path) -> None:
    with ResultFolder(tmp_path / "out") as folder:
        (task,) = tasks_for(folder, [archive])
        record = done(folder, task)
        (folder.path / "talk.srt").unlink()
        assert find_reuse(task, record.sha256, folder) == Reuse(record, made=frozenset({"srt"}))
        (more,) = tasks_for(folder, [archive], forms=("vtt", "txt"))
        assert find_reuse(more, record.sha256, folder) == Reuse(record, made=frozenset({"vtt"}))
        (folder.path / "talk.jsonl").unlink()
        assert find_reuse(more, record.sha256, folder) is None
        (plain,) = tasks_for(folder, [archive], forms=("txt",))
        assert find_reuse(plain, record.sha256, folder) == Reuse(record)


def test_subtitles_that_show_something_else_are_written_anew(archive: Path, tmp_path: Path) -> None:
    with ResultFolder(tmp_path / "out") as folder:
        (task,) = tasks_for(folder, [archive])
        record = done(folder, task, show="both")
        assert find_reuse(task, record.sha256, folder) == Reuse(record, made=frozenset({"srt", "txt"}))


def test_results_of_another_file_and_files_of_others_are_not_written_over(
    archive: Path, tmp_path: Path
) -> None:
    other = recording(tmp_path / "other" / "talk.wav", 3)
    with ResultFolder(tmp_path / "out") as folder:
        done(folder, tasks_for(folder, [archive])[0])
        assert tasks_for(folder, [other])[0].name == "talk.wav"
        (folder.path / "talk.wav.srt").write_text("made by hand")
        assert tasks_for(folder, [other])[0].name.startswith("talk.wav-")
        (archive / "talk.wav").unlink()  # it may be on a disk that is not mounted
        assert tasks_for(folder, [other])[0].name.startswith("talk.wav-")


@pytest.mark.parametrize("forms", [("srt", "txt", "jsonl"), ("vtt",)], ids=str)
def test_another_file_of_the_same_name_and_size_is_not_taken_for_one_that_is_gone(
    archive: Path, tmp_path: Path, forms: tuple[str, ...]
) -> None:
    other = recording(tmp_path / "card 2" / "talk.wav", 3, 4)
    assert other.stat().st_size == (archive / "talk.wav").stat().st_size
    with ResultFolder(tmp_path / "out") as folder:
        done(folder, tasks_for(folder, [archive])[0])
        (archive / "talk.wav").rename(tmp_path / "not mounted")
        assert tasks_for(folder, [other], forms=forms)[0].name == "talk.wav"
        (tmp_path / "not mounted").rename(other)
        assert tasks_for(folder, [other], forms=forms)[0].name == "talk"


def test_a_file_that_may_not_be_looked_at_is_not_taken_for_one_that_is_gone(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "copy" / "talk.wav"
    copy.parent.mkdir()
    shutil.copy(archive / "talk.wav", copy)
    with ResultFolder(tmp_path / "out") as folder:
        done(folder, tasks_for(folder, [archive])[0])
        refuse(monkeypatch, archive)
        assert tasks_for(folder, [copy])[0].name == "talk.wav"


def test_a_file_keeps_its_name_when_another_like_it_comes(archive: Path, tmp_path: Path) -> None:
    with ResultFolder(tmp_path / "out") as folder:
        done(folder, tasks_for(folder, [archive])[0])
        recording(archive / "talk.flac", 4)
        names = {task.path.name: task.name for task in tasks_for(folder, [archive])}
    assert names == {"talk.wav": "talk", "talk.flac": "talk.flac"}


def test_results_beside_the_files_touch_none_of_them(tmp_path: Path) -> None:
    recording(tmp_path / "talk.mkv", 1)
    (tmp_path / "talk.srt").write_text("made by hand")
    with ResultFolder(tmp_path) as folder:
        (task,) = [
            each for each in tasks_for(folder, [tmp_path], forms=("mkv",)) if each.path.suffix == ".mkv"
        ]
        assert task.files == {"mkv": "talk.mkv.mkv"}
        done(folder, task)
        names = [each.path.name for each in tasks_for(folder, [tmp_path], forms=("mkv",))]
    assert names == ["talk.mkv", "talk.srt"]


@pytest.mark.parametrize("pattern", ["**/*.mkv", "out/*", "out/*.mkv", "*"])
def test_a_pattern_finds_no_result(tmp_path: Path, pattern: str) -> None:
    recording(tmp_path / "talk.mkv", 1)
    with ResultFolder(tmp_path / "out") as folder:
        (task,) = tasks_for(folder, [tmp_path / "talk.mkv"], forms=("mkv",))
        done(folder, task)
        (folder.path / "notes.mkv").write_text("not a result")
        names = {each.path.name for each in tasks_for(folder, [tmp_path / pattern], forms=("mkv",))}
    assert names == ({"notes.mkv"} if pattern.startswith("out") else {"talk.mkv"})


def test_a_folder_gives_what_has_sound_and_what_promised_it(tmp_path: Path) -> None:
    recording(tmp_path / "in" / "good.wav", 1, 2)
    recording(tmp_path / "in" / "sound without an ending", 3)
    for name in ("notes.txt", "broken.mp3", "page.html", "empty.wav"):
        (tmp_path / "in" / name).write_text("" if name == "empty.wav" else "not a sound")
    folder = ResultFolder(tmp_path / "out")
    counts: list[int] = []
    looked = probe(tasks_for(folder, [tmp_path / "in"]), counts.append)
    assert [task.path.name for task in looked.tasks] == ["good.wav", "sound without an ending"]
    assert {task.path.name: task.entry.lack for task in looked.lacking} == {
        "broken.mp3": "cannot be opened as sound: Invalid data found when processing input",
        "empty.wav": "is empty",
    }
    assert [path.name for path in looked.silent] == ["notes.txt", "page.html"]
    assert looked.tasks[0].duration_s == pytest.approx(0.6, abs=0.01)
    assert counts == [1, 2, 3, 4, 5, 6]
    named = probe(tasks_for(folder, [tmp_path / "in" / "notes.txt"]), counts.append)
    assert [task.path.name for task in named.lacking] == ["notes.txt"]


def due(foreseen: list[Foreseen]) -> dict[str, tuple[str, str | None]]:
    return {each.task.path.name: (each.due, each.other) for each in foreseen}


def test_a_dry_run_tells_what_would_be_done(tmp_path: Path) -> None:
    source = tmp_path / "in"
    recording(source / "done.wav", 1)
    recording(source / "failed.wav", 2, 3)
    recording(source / "edited.wav", 4, 5, 6)
    with ResultFolder(tmp_path / "out") as folder:
        for task in tasks_for(folder, [source]):
            done(folder, task, quality="incomplete" if task.name == "failed" else "done", audio_s=90.0)
    recording(source / "edited.wav", 7, 8, 9, 10)
    recording(source / "new.wav", 11, 12, 13, 14, 15)
    shutil.copy(source / "new.wav", source / "same.wav")
    shutil.copy(source / "done.wav", source / "copy.wav")
    (source / "broken.ogg").write_text("not a sound")
    before = sorted(tmp_path.rglob("*"))
    folder = ResultFolder(tmp_path / "out")
    folder.read()
    looked = probe(tasks_for(folder, [source]), lambda _number: None)
    foreseen = foresee([*looked.tasks, *looked.lacking], folder)
    assert due(foreseen) == {
        "copy.wav": ("copy", "done"),
        "done.wav": ("done", None),
        "edited.wav": ("changed", None),
        "failed.wav": ("again", None),
        "new.wav": ("new", None),
        "same.wav": ("copy", "new"),
        "broken.ogg": ("failed", None),
    }
    told = lines(foreseen, folder)
    assert told[-1] == "3 of 7 files to caption, 00:03; about 00:00, 135 × real time as before"
    assert sorted(tmp_path.rglob("*")) == before


def test_a_dry_run_says_that_a_speed_is_not_known(archive: Path, tmp_path: Path) -> None:
    folder = ResultFolder(tmp_path / "out")
    looked = probe(tasks_for(folder, [archive]), lambda _number: None)
    assert "is not known before it was done once" in lines(foresee(looked.tasks, folder), folder)[-1]


def test_the_speed_of_before_counts_an_hour_once_however_many_files_were_in_work() -> None:
    records = Records(
        [
            record_of("a", began=0.0, ended=10.0, audio_s=100.0),
            record_of("b", began=5.0, ended=20.0, audio_s=300.0),
            record_of("c", began=6.0, ended=8.0, audio_s=40.0),
            record_of("d", began=1000.0, ended=1010.0, audio_s=160.0),
            record_of("copy", began=1000.0, ended=1010.0, audio_s=160.0, taken_from="d"),
            record_of("other settings", fingerprint="e" * 32, began=0.0, ended=1.0, audio_s=900.0),
        ]
    )
    assert speed_before(records, "f" * 32) == 20.0
    assert speed_before(records, "nobody's") is None


def task_of(name: str, duration_s: float | None) -> Task:
    path = Path(f"/archive/{name}.wav")
    entry = Entry(path=path, root=path.parent, place="the command line")
    (task,) = make_tasks([entry], PLAIN, Forms(("srt",)), ResultFolder(Path("/nowhere")))
    return replace(task, duration_s=duration_s)


def outcome(task: Task, **known: object) -> Outcome:
    given = {
        "state": "done",
        "how": "captioned",
        "record": record_of(task.name, audio_s=100.0),
        "wall_s": 5.0,
    }
    return Outcome(task=task, **{**given, **known})  # type: ignore[arg-type]


def test_how_far_it_is_counts_sound_not_files() -> None:
    clock = ManualClock()
    long, short, copied = task_of("long", 900.0), task_of("short", 100.0), task_of("copied", 500.0)
    standing = Standing([long, short, copied], clock)
    assert (standing.total_s, standing.speed, standing.left_s) == (1500.0, None, None)
    clock.advance(10)
    standing.moved(long, 300.0)
    standing.finish(outcome(short))
    standing.finish(outcome(copied, how="reused"))
    assert (standing.total_s, standing.done_s, standing.ended) == (1000.0, 400.0, 2)
    assert standing.speed == 40.0
    assert standing.left_s == 15.0


def test_a_container_that_promised_more_than_it_holds_is_put_right_at_its_end() -> None:
    clock = ManualClock()
    task = task_of("cut", 3600.0)
    standing = Standing([task], clock)
    clock.advance(2)
    standing.finish(outcome(task, state="damaged"))
    assert (standing.total_s, standing.done_s, standing.left_s) == (100.0, 100.0, 0.0)


@given(st.floats(0, 4e6))
def test_lengths_are_told_in_hours_only_where_minutes_do_not_matter(seconds: float) -> None:
    told = length(seconds)
    assert told.endswith(" h") == (seconds >= 36_000)


def test_a_line_tells_what_became_of_a_file() -> None:
    task = task_of("talk", 100.0)
    assert line(outcome(task)) == "/archive/talk.wav: 3 captions, 01:40 in 00:05, 20 × real time"
    holed = outcome(task, record=record_of("talk", gaps=2))
    assert ": 3 captions, 2 gaps in the sound, 01:00 in " in line(holed)
    broken = outcome(task, state="failed", how=None, record=None, error="/archive/talk.wav is empty")
    assert line(broken) == "/archive/talk.wav: failed: is empty"
    cut = record_of("talk", quality="damaged", captions=1)
    damaged = outcome(
        task, state="damaged", record=cut, error="/archive/talk.wav is damaged: 1 piece could not"
    )
    assert line(damaged).startswith("/archive/talk.wav: damaged, 1 caption, ")
    assert line(damaged).endswith("real time: 1 piece could not")
    assert line(outcome(task, how="reused", record=record_of("talk", taken_from="x"))).endswith(": done as x")


def test_the_figures_of_the_end_count_each_file_once() -> None:
    def several(count: int, **changed: Any) -> list[Outcome]:
        return [outcome(task_of(f"{changed}{number}", 10.0), **changed) for number in range(count)]

    ended = [
        *several(8),
        *several(1, state="damaged"),
        *several(1, how="reused"),
        *several(2, state="failed", how=None, record=None),
    ]
    assert totals(ended, 0.0).startswith(
        "12 files: 9 captioned (1 of them damaged), 1 made from another, 2 failed;"
    )
    mixed = [*several(1, how="before", state="damaged"), *several(10, how="written")]
    assert totals(mixed, 0.0) == "11 files: 1 done before (damaged), 10 written from their events"
    assert line(mixed[-1]).endswith(": done, written from its events")


def test_names_are_told_in_one_line_that_any_terminal_shows() -> None:
    told = printable("a\nb\x1b[2Jc\udcff")
    assert told.isprintable()
    told.encode()


def test_the_report_adds_up_and_is_json_whatever_files_are_called() -> None:
    outcomes = [
        outcome(task_of("a", 100.0), tries=1, sha256="a" * 64),
        outcome(task_of("b", 7.0), how="before"),
        outcome(task_of("c \udcff", None), state="failed", how=None, record=None, error="\udcff is empty"),
        outcome(task_of("d", 9.0), state="left", how=None, record=None),
    ]
    report = make_report(
        outcomes, PLAIN, Path("/out"), silent=[Path("/archive/notes.txt")], wall_s=4.0, interrupted=True
    )
    again = json.loads(json.dumps(report, ensure_ascii=False).encode())
    assert again["totals"] == {
        "files": 4,
        "done": 2,
        "damaged": 0,
        "incomplete": 0,
        "failed": 1,
        "left": 1,
        "captioned": 1,
        "before": 1,
        "written": 0,
        "reused": 0,
        "audio_s": 200.0,
        "captioned_s": 100.0,
        "captions": 6,
        "failures": 0,
        "wall_s": 4.0,
        "speed": 25.0,
    }
    assert again["interrupted"] is True
    assert again["without_sound"] == ["/archive/notes.txt"]
    assert [each["state"] for each in again["files"]] == ["done", "done", "failed", "left"]
    assert again["files"][0]["speed"] == 20.0
    assert again["files"][1]["speed"] is None
    assert again["files"][2]["error"] == "? is empty"
    assert totals(outcomes, 4.0) == (
        "4 files: 1 captioned, 1 done before, 1 failed, 1 left; 01:40 in 00:04, 25 × real time"
    )
