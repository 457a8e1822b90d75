"""``decalage resume``: which session it takes, what it writes, and what it refuses in one line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from decalage.app.cli import main
from decalage.app.compose import open_source
from decalage.app.journaled import models_of
from decalage.app.settings import Settings
from decalage.audio import AudioChunk, Samples
from decalage.store.journal import Journal
from decalage.store.journal_reader import read_journal
from decalage.store.journal_unfinished import Reopened
from tests.app.test_cli import TALK, refused
from tests.store.journal_kit import START, kept


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the journals of the user are."""
    monkeypatch.setenv("DECALAGE_DATA", str(tmp_path / "data"))
    return tmp_path / "data" / "journal"


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    with pytest.raises(SystemExit) as stop:
        main(["resume", *arguments])
    captured = capsys.readouterr()
    assert isinstance(stop.value.code, int)
    return stop.value.code, captured.out, captured.err


def sound_of(path: str) -> Samples:
    return np.concatenate([chunk.samples for chunk in open_source(path, Settings())])


def journaled(root: Path, samples: Samples) -> Path:
    """A live session that heard ``samples``, and died before it said anything."""
    settings = Settings(pace="realtime")
    journal = Journal(models_of(settings), root)
    recording = journal.begin(START, settings.stream_options())
    recording.sound(AudioChunk(0, samples))
    journal.close()
    return recording.folder.folder


@pytest.mark.parametrize("arguments", [[], ["--list"]])
def test_where_there_is_nothing_to_resume_that_is_said(
    capsys: pytest.CaptureFixture[str], root: Path, arguments: list[str]
) -> None:
    assert told(capsys, *arguments) == (0, "", f"decalage: nothing to resume in {root}\n")
    kept(root, 1)  # over
    how = "" if arguments else "; to write it: decalage history export last -o talk.srt"
    assert told(capsys, *arguments) == (0, "", f"decalage: nothing to resume in {root}{how}\n")


def test_a_session_that_is_over_is_left_as_it_is(capsys: pytest.CaptureFixture[str], root: Path) -> None:
    folder = kept(root, 1)
    before = (folder / "events.jsonl").read_bytes()
    for name in (folder.name, str(folder)):
        code, out, err = told(capsys, name)
        assert (code, out) == (0, "")
        assert "has its answer" in err
    assert (folder / "events.jsonl").read_bytes() == before


def test_the_list_tells_what_has_no_answer(capsys: pytest.CaptureFixture[str], root: Path) -> None:
    folder = kept(root, 5, ended=False)
    kept(root, 1)
    code, out, err = told(capsys, "--list")
    assert (code, err) == (0, "")
    assert out == f"{folder.name}  4.0 of 5.0 s are without an answer  en → pt, es  stream\n"


def test_a_session_that_is_held_is_refused_by_name_and_passed_over_without(
    capsys: pytest.CaptureFixture[str], root: Path
) -> None:
    folder = kept(root, 5, ended=False)
    with closing(Reopened(folder)):
        code, line = refused(capsys, "resume", folder.name)
        assert code == 2
        assert "another program" in line
        assert told(capsys)[0] == 0


def test_a_session_has_the_names_that_the_history_prints(
    capsys: pytest.CaptureFixture[str], root: Path
) -> None:
    folder = kept(root, 1)
    for name in (folder.name.partition("-")[0], folder.name, "last"):
        code, _, err = told(capsys, name)
        assert (code, err) == (
            0,
            f"decalage: nothing to resume in {folder}: all that was heard has its answer; "
            f"to write it: decalage history export {folder.name} -o talk.srt\n",
        )
    assert "decalage resume --list" in refused(capsys, "resume", "2027")[1]


@pytest.mark.parametrize("name", ["nothing", "../journal", "\0"])
def test_what_is_no_session_is_refused(capsys: pytest.CaptureFixture[str], root: Path, name: str) -> None:
    root.mkdir(parents=True)
    code, line = refused(capsys, "resume", name)
    assert code == 2
    assert line == f"decalage: no session is kept in {root}"


def test_outputs_that_cannot_be_are_refused_before_anything_is_written(
    capsys: pytest.CaptureFixture[str], root: Path
) -> None:
    folder = journaled(root, np.zeros(16_000, np.float32))
    before = (folder / "events.jsonl").read_bytes()
    code, _, err = told(capsys, "-o", "/nowhere/x.srt")
    assert (code, "the folder does not exist" in err) == (2, True)
    code, _, err = told(capsys, "-o", "talk.mkv")
    assert (code, "write a .srt" in err) == (2, True)
    code, line = refused(capsys, "resume", "-o", "talk.xyz")
    assert (code, "no format for talk.xyz" in line) == (2, True)
    assert (folder / "events.jsonl").read_bytes() == before


def test_the_list_is_of_all(capsys: pytest.CaptureFixture[str], root: Path) -> None:
    folder = kept(root, 5, ended=False)
    code, line = refused(capsys, "resume", "--list", folder.name)
    assert (code, f"leave out {folder.name!r}" in line) == (2, True)


@pytest.mark.real
def test_captions_that_went_to_no_file_are_written_afterwards(
    capsys: pytest.CaptureFixture[str], root: Path, tmp_path: Path
) -> None:
    folder = journaled(root, np.zeros(16_000, np.float32))
    how = f"to write it: decalage history export {folder.name} -o talk.srt\n"
    code, _, err = told(capsys, "--offline")
    assert (code, how in err) == (0, True)
    journaled(root, np.zeros(16_000, np.float32))
    code, _, err = told(capsys, "--offline", "-o", str(tmp_path / "talk.srt"))
    assert (code, "to write it" in err) == (0, False)


def resume(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "decalage", "resume", "--offline", "--format", "jsonl", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
    )


def captions(lines: str) -> list[dict[str, Any]]:
    return [event for event in map(json.loads, lines.splitlines()) if event["type"] == "caption"]


@pytest.mark.real
def test_all_captions_of_the_session_are_written_though_a_resume_was_killed(
    root: Path, tmp_path: Path
) -> None:
    folder = journaled(root, np.tile(sound_of(TALK), 3))
    subtitles = tmp_path / "talk.srt"
    first = resume("-o", str(subtitles), "-o", "-")
    assert first.stdout is not None
    seen = "".join(next(first.stdout) for _ in range(6))
    first.kill()
    first.communicate()
    before = captions(seen)
    assert read_journal(folder).ending is None
    second = resume("-o", str(subtitles), "-o", "-", "--to", "en")
    out, err = second.communicate(timeout=100)
    assert second.returncode == 0, err
    now = captions(out)
    assert [event["index"] for event in now] == list(range(len(now)))
    texts = [event["text"] for event in now]
    assert texts[: len(before)] == [event["text"] for event in before]
    assert set(texts[0]) == {"en", "pt"}
    assert set(texts[-1]) == {"en"}, "what is asked for now holds for what is new"
    assert len(now) > len(before) >= 5
    assert "-->" in subtitles.read_text("utf-8")
    assert read_journal(folder).ending == "closed"


@pytest.mark.real
def test_ctrl_c_leaves_the_rest_to_the_next_resume(root: Path) -> None:
    folder = journaled(root, np.tile(sound_of(TALK), 6))
    process = resume()
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line)["type"] == "caption":
            break
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    content = read_journal(folder)
    assert content.ending is None
    assert not [each.event for each in content.events if each.event.type == "failure"]
