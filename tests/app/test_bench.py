"""``decalage bench`` from outside: refusals of one line, and a real cell in its own process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from decalage.app.bench.launch import launch
from decalage.app.bench.plan import Cell, Choice, make_rows
from decalage.app.bench.sound import audio_of
from decalage.app.cli import main
from tests.app.test_cli import ASK_NOT, SAMPLES, refused


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["nothing.wav"], 2, "does not exist"),
        ([str(SAMPLES / "README.md")], 2, "cannot be opened as sound"),
        (["-"], 2, "cannot be heard again"),
        (["https://example.org/a.mp3"], 2, "cannot be heard again"),
        ([ASK_NOT, "--runtime", "magic"], 2, "'magic' is not one of sequential, pipeline, pool, processes"),
        ([ASK_NOT, "--runtime", ""], 2, "is not one of"),
        ([ASK_NOT, "--rows", "a,d"], 2, "'d' is not one of a, b, c"),
        ([ASK_NOT, "--pace", "fast"], 2, "'fast' is not one of realtime, max"),
        ([ASK_NOT, "--workers", "0"], 2, "from 1 to 64"),
        ([ASK_NOT, "--threads", "two"], 2, "from 1 to 64"),
        ([ASK_NOT, "--budget", "-1"], 2, "--budget"),
        ([ASK_NOT, "--to", "xx"], 2, "supported: en→pt, pt→en"),
        ([ASK_NOT, "--model", "huge"], 2, "no model 'huge'"),
        ([ASK_NOT, "--json", "/nowhere/x.json"], 2, "the folder does not exist"),
        ([ASK_NOT, "--plot", "x.gif"], 2, ".png and .svg"),
        ([ASK_NOT, "--json", "-", "--markdown", "-"], 2, "not both"),
        ([ASK_NOT, "--reference", "nothing.txt"], 2, "cannot read nothing.txt"),
        ([ASK_NOT, str(SAMPLES / "talk.flac"), "--reference", "x.txt"], 2, "go with one AUDIO"),
    ],
)
def test_what_cannot_be_measured_is_one_line_with_its_code(
    capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, words: str
) -> None:
    got, line = refused(capsys, "bench", *arguments)
    assert got == code
    assert words in line
    assert line.startswith("decalage: ")


def test_a_budget_for_nothing_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["bench", ASK_NOT, "--runtime", "pipeline", "--budget", "0", "--results", str(tmp_path)])
    assert stop.value.code == 2
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "decalage: 0 cells, about 0 s"
    assert "left out for the budget" in told[1]
    assert told[-1] == "decalage: the budget is too small for one cell; give more minutes"


def test_a_sound_is_named_from_where_one_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    whole = Path(ASK_NOT).resolve()
    monkeypatch.chdir(whole.parent.parent)
    assert audio_of(str(whole), 5.0).path == f"{whole.parent.name}/{whole.name}"
    monkeypatch.chdir(tmp_path)
    assert audio_of(str(whole), 5.0).path == str(whole)


@pytest.mark.real
def test_a_cell_is_measured_in_a_process_of_its_own() -> None:
    [row] = make_rows(Choice(runtimes=("processes",), workers=(1,), threads=(1,), groups=("c",)))
    cell = Cell(row, audio_of(ASK_NOT, 5.0), "realtime", 0)
    result = launch(cell)
    assert result["error"] is None
    assert result["summary"]["audio_s"] == 5.0
    assert result["summary"]["lag"]["p50"] > 0
    assert (result["order_violations"], result["lost"]) == (0, 0)
    assert result["issued"] == len(result["captions"]) > 0
    assert result["moving_parts"]["processes"] == 4  # audio, VAD, ASR, MT
    assert result["moving_parts"]["threads"] >= 4  # capture, and one that waits for each of the others
    assert result["ipc_ms"] > 0
    stages = {span["stage"] for span in result["trace"]["spans"]}
    assert stages == {"capture", "vad", "asr", "mt"}
    json.dumps(result)


@pytest.mark.real
def test_a_cell_that_cannot_run_says_why() -> None:
    [row] = make_rows(Choice(runtimes=("pipeline",), workers=(1,), threads=(1,), groups=("c",)))
    audio = audio_of(ASK_NOT, 5.0)
    gone = Cell(row, type(audio)("/nowhere/gone.wav", audio.sha256, 5.0, 5.0), "max", 0)
    assert launch(gone)["error"] == "/nowhere/gone.wav does not exist; check the name"


@pytest.mark.real
def test_a_report_is_written_and_a_rerun_measures_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    asked = ["bench", ASK_NOT, "--rows", "c", "--runtime", "pipeline", "--pace", "max", "--repeats", "1"]
    asked += ["--seconds", "4", "--results", str(tmp_path / "cells"), "--json", str(tmp_path / "b.json")]
    for first in (True, False):
        with pytest.raises(SystemExit) as stop:
            main([*asked, *([] if first else ["--budget", "0"])])
        assert stop.value.code == 0
        told = capsys.readouterr()
        assert ("1 of them saved" in told.err) is not first
        assert "c pipeline" in told.out
    report = json.loads((tmp_path / "b.json").read_text("utf-8"))
    assert report["rows"][0]["median"]["rtf"] > 0
    assert report["rows"][0]["ratio"] == {}
    assert report["rows"][0]["cells"][0]["captions"]
    assert "trace" not in report["rows"][0]["cells"][0]
    assert report["machine"]["cores"] >= 1
