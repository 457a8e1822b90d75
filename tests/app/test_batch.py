"""``decalage batch``: the program itself, refused, foretold, run, interrupted and gone on with."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from rich.console import Console
from rich.progress import Progress, TextColumn

from decalage.app.batch.folder import ResultFolder, made_file
from decalage.app.batch.naming import outputs_of
from decalage.app.batch.outcome import Outcome
from decalage.app.batch.plan import Task
from decalage.app.batch.record import Record
from decalage.app.batch.run import Ended, streams_for
from decalage.app.batch.screen import Bars
from decalage.app.batch.standing import Standing
from decalage.app.cli import main
from decalage.testing.clock import ManualClock
from tests.app.batch_kit import record_of, recording, standing_files
from tests.app.test_batch_plan import outcome, task_of

SAMPLES = Path(__file__).parents[2] / "samples"
ASK_NOT = SAMPLES / "ask-not.flac"
TALK = SAMPLES / "talk.flac"
FIRST = ("--duration", "40")


def told(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of the program, in this process."""
    with pytest.raises(SystemExit) as stop:
        main(["batch", *map(str, arguments)])
    assert isinstance(stop.value.code, int)
    return (stop.value.code, *capsys.readouterr())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([TALK], "Missing option '-o'"),
        (["-o", "OUT"], "no file is there"),
        (["nothing.wav", "-o", "OUT"], "does not exist"),
        (["nothing*.wav", "-o", "OUT"], "nothing matches"),
        pytest.param(["a" * 300, "-o", "OUT"], "file name too long", id="file"),
        pytest.param([TALK, "-o", "a" * 300], "file name too long", id="folder"),
        pytest.param([TALK, "-o", "a" * 300, "--dry-run"], "file name too long", id="folder of a dry run"),
        (["https://radio.example/live", "-o", "OUT"], "decalage translate"),
        ([TALK, "-o", "OUT", "--formats", "pdf"], "'pdf' is not one of jsonl, txt, srt, vtt, ass, mkv"),
        ([TALK, "-o", "OUT", "--format", "text"], "'text' is not one of"),
        ([TALK, "-o", "OUT", "--to", "english"], "is not a language code"),
        ([TALK, "-o", "OUT", "--to", "xx"], "supported: en→pt, pt→en"),
        ([TALK, "-o", "OUT", "--pace", "realtime"], "decalage translate FILE --pace realtime"),
        ([TALK, "-o", "OUT", "--report", "/nowhere/r.json"], "the folder does not exist"),
        ([TALK, "-o", "OUT", "--report", SAMPLES], "it is a folder"),
        ([TALK, "-o", "OUT", "--dry-run", "--report", "OUT"], "--dry-run writes nothing: leave out --report"),
        ([TALK, "-o", "OUT", "--dry-run", "--report", "-"], "--dry-run writes nothing: leave out --report"),
        ([TALK, "-o", "OUT", "--address", "auto"], "--address goes with --runtime ray, not with pipeline"),
        ([TALK, "-o", "OUT", "--address", "auto", "--dry-run"], "--address goes with --runtime ray"),
        (["--manifest", "nothing.csv", "-o", "OUT"], "cannot read nothing.csv"),
        ([TALK, "-o", TALK], "cannot write"),
        ([TALK, "-o", "OUT", "--streams", "0"], "--streams"),
    ],
    ids=str,
)
def test_what_cannot_be_done_is_one_line_and_makes_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: list[object], words: str
) -> None:
    given = [str(each).replace("OUT", str(tmp_path / "out")) for each in arguments]
    code, output, error = told(capsys, *given)
    assert (code, output) == (2, "")
    assert len(error.splitlines()) == 1
    assert words in error
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_is_missing_makes_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, _, error = told(capsys, TALK, "-o", tmp_path / "out", "--model", "small", "--offline")
    assert code == 3
    assert "decalage models add small" in error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("there", "address", "expected", "words"),
    [
        (None, (), 3, "Ray is not installed: pip install '.[ray]'"),
        (ModuleType("ray"), ("--address", "127.0.0.1:9"), 2, "no Ray cluster at 127.0.0.1:9"),
    ],
    ids=["no Ray", "no cluster"],
)
def test_where_ray_is_missing_nothing_is_made(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    there: ModuleType | None,
    address: tuple[str, ...],
    expected: int,
    words: str,
) -> None:
    monkeypatch.setitem(sys.modules, "ray", there)
    code, _, error = told(capsys, TALK, "-o", tmp_path / "out", "--runtime", "ray", *address)
    assert code == expected
    assert words in error
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_use_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with ResultFolder(tmp_path):
        code, _, error = told(capsys, ASK_NOT, "-o", tmp_path)
    assert code == 2
    assert "another batch is at work" in error


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("name", ["broken.mp3", "notes.txt"])
def test_a_report_that_cannot_be_written_hides_nothing_else(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / name).write_text("not a sound")
    ended, _, error = told(capsys, tmp_path / "in", "-o", tmp_path / "out", "--report", "/dev/full")
    assert ended == 1
    assert "results in" not in error, "there are none"
    assert ("0 files" in error.splitlines()) == (name == "notes.txt")
    assert "decalage: cannot write /dev/full: the disk is full" in error
    assert ("failed: " in error) == (name == "broken.mp3")


def test_a_dry_run_writes_nothing_and_tells_files_and_hours(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("not a sound")
    code, output, error = told(
        capsys, SAMPLES, tmp_path, "-o", tmp_path / "out", "--dry-run", "--to", "pt,en"
    )
    assert code == 0
    assert "notes.txt" in error
    lines = output.splitlines()
    assert [line.split()[:2] for line in lines[:2]] == [["new", "00:11"], ["new", "01:00"]]
    assert lines[1].endswith("talk.{pt.srt,en.srt,txt,jsonl}")
    assert lines[-1].startswith("2 of 2 files to caption, 01:11; how fast that goes is not known")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_dry_run_ends_as_the_batch_would_where_a_file_cannot_be_read(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "broken.mp3").write_text("not a sound")
    code, output, _ = told(capsys, ASK_NOT, tmp_path, "-o", tmp_path / "out", "--dry-run")
    assert code == 1
    assert [line.split()[0] for line in output.splitlines()[:2]] == ["new", "failed"]


def stopped(monkeypatch: pytest.MonkeyPatch, stops: Sequence[str], ended: Callable[[Task], Outcome]) -> None:
    """Batches load nothing and are stopped by the signals ``stops``; ``ended``: what became of each file."""

    def caption_all(tasks: Sequence[Task], *_: object, **__: object) -> Ended:
        return Ended([ended(task) for task in tasks], 1.0, [getattr(signal, name) for name in stops])

    monkeypatch.setattr("decalage.app.commands.batch.caption_all", caption_all)
    monkeypatch.setattr("decalage.app.commands.batch.make_blueprint", lambda _: None)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="signals of Unix")
@pytest.mark.parametrize(
    ("stops", "expected"),
    [
        (["SIGINT"], 130),
        (["SIGTERM"], 0),
        (["SIGHUP"], 0),
        (["SIGTERM", "SIGTERM"], 130),
        (["SIGHUP", "SIGINT"], 130),
    ],
    ids=str,
)
def test_a_stop_that_leaves_files_says_that_the_same_command_goes_on(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    stops: list[str],
    expected: int,
) -> None:
    stopped(monkeypatch, stops, lambda task: outcome(task, state="left", how=None, record=None))
    code, output, error = told(capsys, ASK_NOT, TALK, "-o", tmp_path, "--report", "-")
    assert code == expected
    assert "2 left: the same command goes on" in error.splitlines()
    assert json.loads(output)["interrupted"] is True


def test_after_sigterm_a_file_that_failed_still_makes_the_exit_code_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def ended(task: Task) -> Outcome:
        return outcome(task, state="failed" if task.path == TALK else "left", how=None, record=None)

    stopped(monkeypatch, ["SIGTERM"], ended)
    code, output, _ = told(capsys, ASK_NOT, TALK, "-o", tmp_path, "--report", "-")
    assert (code, json.loads(output)["interrupted"]) == (1, True)


@pytest.mark.parametrize(("state", "expected"), [("done", 0), ("damaged", 1)])
def test_an_interrupt_that_leaves_nothing_is_none(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    state: str,
    expected: int,
) -> None:
    stopped(monkeypatch, ["SIGINT"], lambda task: outcome(task, state=state))
    code, output, error = told(capsys, ASK_NOT, TALK, "-o", tmp_path, "--report", "-")
    assert code == expected
    assert "goes on" not in error
    assert f"results in {tmp_path}" in error.splitlines()
    assert json.loads(output)["interrupted"] is False


def test_results_that_a_shell_names_are_left_out_and_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    recording(tmp_path / "a.wav", 1)
    with ResultFolder(tmp_path / "out") as folder:
        made, record = folder.begin(), record_of("a", outputs_of(("mkv",), ("pt",), None))
        recording(made_file(made, "mkv"), 1)
        folder.commit(made, record)
    named = (tmp_path / "a.wav", tmp_path / "out" / "a.mkv")
    _, output, error = told(capsys, *named, "-o", tmp_path / "out", "--formats", "mkv", "--dry-run")
    assert "left out, for they are results of a batch: a.mkv" in error
    assert output.splitlines()[-1].startswith("1 of 1 files to caption")


def test_a_dry_run_says_which_model_is_not_here_and_goes_on(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, output, _ = told(capsys, TALK, "-o", tmp_path / "out", "--dry-run", "--model", "small")
    assert code == 0
    assert output.splitlines()[0].startswith("new")


def test_settings_of_other_commands_in_a_file_are_not_taken_for_those_of_this_one(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        'format = "text"\nformats = "vtt,txt"\noutput = "somewhere.srt"\nto = "pt,en"\nbeam = 2\n'
    )
    known = ("--dry-run", "--config", config)
    _, output, _ = told(capsys, TALK, "-o", tmp_path / "out", *known)
    assert output.splitlines()[0].endswith(".{pt.vtt,en.vtt,txt}")
    _, output, _ = told(capsys, TALK, "-o", tmp_path / "out", "--format", "srt", "--format", "jsonl", *known)
    assert output.splitlines()[0].endswith(".{pt.srt,en.srt,jsonl}")
    code, _, error = told(capsys, TALK, *known)
    assert code == 2
    assert "name the folder for the results on the command line" in error


def test_more_workers_have_more_files_at_a_time() -> None:
    assert [streams_for(workers) for workers in (1, 2, 8)] == [2, 4, 16]


def test_bars_show_all_files_and_those_in_work() -> None:
    clock = ManualClock()
    long, short = task_of("long", 3600.0), task_of("[bold]short", 60.0)
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=150, color_system=None)
    columns = (TextColumn("{task.description}", markup=False), TextColumn("{task.fields[told]}"))
    with Progress(*columns, console=console, auto_refresh=False) as progress:
        bars = Bars(Standing([long, short], clock), progress)
        for task in (long, short):
            bars.began(task)
        clock.advance(60)
        bars.moved(long, 1800.0)
        progress.refresh()
        during = written.getvalue()
        bars.ended(outcome(short))
        progress.refresh()
        after = written.getvalue().removeprefix(during)
    assert "0/2 files, 30:00 of 1:01:00, 30 × real time, 01:02 left" in during
    assert "[bold]short" in during
    assert "[1/2] /archive/[bold]short.wav: 3 captions" in after
    assert after.splitlines()[-1].startswith("long")


@contextmanager
def program(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    """The program in a process of its own, killed at the end if it is still there."""
    process = subprocess.Popen(
        [sys.executable, "-m", "decalage", "batch", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def finished(*arguments: object) -> subprocess.CompletedProcess[str]:
    with program(*arguments) as process:
        output, error = process.communicate(timeout=100)
        return subprocess.CompletedProcess(process.args, process.returncode, output, error)


def records(folder: Path) -> dict[str, Record]:
    """What is done, by name; every file of it is there."""
    found = ResultFolder(folder)
    found.read()
    assert not any(found.missing(record) for record in found.records)
    return {record.name: record for record in found.records}


def plain(events: bytes) -> list[Mapping[str, Any]]:
    """Events without what a clock or a name had to do with."""
    told: list[Mapping[str, Any]] = []
    for line in events.decode().splitlines():
        event = json.loads(line)
        kept = {name: value for name, value in event.items() if name not in ("timing", "input")}
        told.append(kept if event["type"] != "summary" else {"captions": event["captions"]})
    return told


@pytest.mark.real
def test_results_are_those_of_translate(tmp_path: Path) -> None:
    forms = ("srt", "vtt", "txt", "jsonl")
    done = finished(ASK_NOT, TALK, "-o", tmp_path / "out", "--formats", ",".join(forms), "--report", "-")
    assert done.returncode == 0, done.stderr
    alone = tmp_path / "alone"
    alone.mkdir()
    for path in (ASK_NOT, TALK):
        outputs = [argument for form in forms for argument in ("-o", str(alone / f"{path.stem}.{form}"))]
        command = [sys.executable, "-m", "decalage", "translate", str(path), *outputs]
        subprocess.run(command, check=True, capture_output=True, timeout=100)
    batch, single = standing_files(tmp_path / "out"), standing_files(alone)
    assert sorted(batch) == sorted(single)
    for name, content in single.items():
        if name.endswith(".jsonl"):
            assert plain(batch[name]) == plain(content)
        else:
            assert batch[name] == content
    report = json.loads(done.stdout)
    assert report["totals"]["captioned"] == 2
    assert [each["name"] for each in report["files"]] == ["ask-not", "talk"]


@pytest.mark.real
def test_a_list_may_name_languages_and_bad_files_are_told_at_the_end(tmp_path: Path) -> None:
    shutil.copy(ASK_NOT, tmp_path / "a.flac")
    (tmp_path / "b.flac").write_bytes(ASK_NOT.read_bytes()[:100_000])
    (tmp_path / "c.mp3").write_text("not a sound")
    (tmp_path / "list.csv").write_text(
        "path,to,name\na.flac,en,one\na.flac,pt,two\nb.flac,,\nc.mp3,,\nd.wav,,\n"
    )
    done = finished(
        "--manifest", tmp_path / "list.csv", "-o", tmp_path / "out", "--report", tmp_path / "r.json"
    )
    assert done.returncode == 1
    report = json.loads((tmp_path / "r.json").read_text())
    assert {
        each["path"].rpartition("/")[2] + "→" + each["name"]: each["state"] for each in report["files"]
    } == {
        "a.flac→one": "done",
        "a.flac→two": "done",
        "b.flac→b": "damaged",
        "c.mp3→c": "failed",
        "d.wav→d": "failed",
    }
    there = standing_files(tmp_path / "out")
    assert b"ask what you can do for your country" in there["one.srt"]
    assert "perguntem" in there["two.srt"].decode()
    for words in (
        "1 piece could not be decoded",
        "cannot be opened as sound",
        "does not exist; check the name",
    ):
        assert words in done.stderr


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four files of different content and about a minute each."""
    folder = tmp_path_factory.mktemp("in")
    for number in range(4):
        shutil.copy(TALK, folder / f"{number}.flac")
        with (folder / f"{number}.flac").open("ab") as file:
            file.write(bytes([number + 1]))  # behind the last frame: another content, the same sound
    return folder


def first_line(process: subprocess.Popen[str]) -> str:
    """The first file that has ended; others are in work then."""
    assert process.stderr is not None
    return next(line for line in process.stderr if line.startswith("[1/"))


@pytest.mark.real
@pytest.mark.parametrize(("how", "code"), [("SIGINT", 130), ("SIGTERM", 0), ("SIGKILL", -9)])
def test_an_interrupted_batch_leaves_whole_results_and_the_next_one_repeats_none(
    recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], how: str, code: int
) -> None:
    out = tmp_path / "out"
    with program(recordings, "-o", out, "--streams", "2", "--workers", "1", *FIRST) as process:
        first_line(process)
        process.send_signal(signal.SIGSTOP)  # or it might be done before the next line
        refused, _, error = told(capsys, recordings, "-o", out, *FIRST)
        assert (refused, "another batch is at work" in error) == (2, True)
        process.send_signal(getattr(signal, how))
        process.send_signal(signal.SIGCONT)
        process.communicate(timeout=60)
    assert process.returncode == code
    before = records(out)
    assert 1 <= len(before) < 4
    if how != "SIGKILL":
        assert len(before) >= 2  # the one that had ended, and what was in work
    texts = {name: content for name, content in standing_files(out).items() if name.endswith(".txt")}
    if how != "SIGKILL":
        assert sorted(texts) == sorted(f"{name}.txt" for name in before)
    done = finished(recordings, "-o", out, *FIRST, "--report", tmp_path / "r.json")
    assert done.returncode == 0, done.stderr
    after = records(out)
    assert len(after) == 4
    assert {name: after[name] for name in before} == before
    totals = json.loads((tmp_path / "r.json").read_text())["totals"]
    assert totals["before"] >= len(before)
    assert totals["before"] + totals["captioned"] == 4
    assert len({content for name, content in standing_files(out).items() if name.endswith(".txt")}) == 1
    assert list((out / ".decalage" / "work").iterdir()) == []


@pytest.mark.real
@pytest.mark.skipif(os.name != "posix", reason="a terminal of Unix")
def test_a_terminal_that_is_closed_ends_the_batch_with_its_report(recordings: Path, tmp_path: Path) -> None:
    mine, theirs = os.openpty()
    command = [sys.executable, "-m", "decalage", "batch", str(recordings), "-o", str(tmp_path / "out")]
    command += ["--streams", "2", "--workers", "1", "--report", str(tmp_path / "r.json"), *FIRST]
    with subprocess.Popen(command, stderr=theirs, stdout=theirs, stdin=theirs) as process:
        os.close(theirs)
        shown = b""
        while b"[1/" not in shown:
            shown += os.read(mine, 10_000)
        os.close(mine)
        process.send_signal(signal.SIGHUP)
        process.wait(60)
    report = json.loads((tmp_path / "r.json").read_text("utf-8"))
    states = Counter(each["state"] for each in report["files"])
    assert process.returncode == 0
    assert states["done"] >= 2, "the one that had ended, and what was in work"
    assert states["done"] + states["left"] == 4
    assert len(records(tmp_path / "out")) == states["done"]


@pytest.mark.real
def test_a_copy_of_the_recording_can_be_written_too(tmp_path: Path) -> None:
    shutil.copy(ASK_NOT, tmp_path / "a.flac")
    done = finished(tmp_path, "-o", tmp_path, "--format", "mkv")
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.glob("a.*")) == ["a.flac", "a.mkv"]
    again = finished(tmp_path, "-o", tmp_path, "--format", "mkv")
    assert "1 of 1 files were done before" in again.stderr


def test_the_recordings_of_these_tests_are_heard_alike_and_known_apart(recordings: Path) -> None:
    contents = {path.read_bytes() for path in recordings.iterdir()}
    assert len(contents) == 4
    assert recording(recordings.parent / "x.wav", 1).is_file()
