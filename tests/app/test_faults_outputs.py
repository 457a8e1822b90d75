"""Outputs that fail in the middle of a run: full disks, readers that leave, closed streams."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SAMPLES = Path(__file__).parents[2] / "samples"
ASK_NOT = str(SAMPLES / "ask-not.flac")
TALK = str(SAMPLES / "talk.flac")
FULL = Path("/dev/full")

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here"),
]


def command(*arguments: str) -> list[str]:
    """A run with the small model."""
    return [sys.executable, "-m", "decalage", "translate", *arguments, "--model", "tiny.en", "--offline"]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=100, check=False)


def test_a_full_disk_under_one_output_leaves_the_captions_on_the_other(tmp_path: Path) -> None:
    full, whole = tmp_path / "full.txt", tmp_path / "whole.jsonl"
    full.symlink_to(FULL)
    done = run(ASK_NOT, "--format", "jsonl", "-o", str(full), "-o", str(whole), "-o", "-")
    assert done.returncode == 1
    told = [line for line in done.stderr.splitlines() if line.startswith("decalage: ")]
    refused = f"cannot write {full}: the disk is full"
    assert told == [f"decalage: {refused}; it ends there, the other outputs go on"]
    assert "speech" in done.stderr, "the summary is told"
    kinds = [json.loads(line)["type"] for line in done.stdout.splitlines()]
    assert kinds[0] == "start"
    assert "caption" in kinds
    assert kinds[-1] == "summary"
    assert whole.read_text("utf-8") == done.stdout


def test_a_trace_that_cannot_be_written_costs_no_caption(tmp_path: Path) -> None:
    captions = tmp_path / "captions.txt"
    done = run(ASK_NOT, "-o", str(captions), "--trace", str(FULL))
    assert done.returncode == 1
    assert f"decalage: cannot write {FULL}: the disk is full" in done.stderr.splitlines()
    assert "ask not" in captions.read_text("utf-8").lower()
    assert "speech" in done.stderr, "the summary is told"


def read_one_line(*arguments: str) -> tuple[int, str]:
    """Exit code and standard error of a run of which ``head -1`` reads the output."""
    phrases = ("--end-silence", "0.5")
    with subprocess.Popen(
        command(*arguments, *phrases), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as head:
        assert head.stdout is not None
        assert head.stderr is not None
        assert head.stdout.readline()
        head.stdout.close()
        errors = head.stderr.read()
    return head.returncode, errors


@pytest.mark.parametrize("form", ["text", "jsonl"])
def test_who_stops_reading_standard_output_is_told_nothing_and_files_are_whole(
    tmp_path: Path, form: str
) -> None:
    captions = tmp_path / "captions.jsonl"
    code, errors = read_one_line(TALK, "--format", form, "-o", str(captions), "-o", "-")
    assert code == 0, errors
    assert "decalage: " not in errors
    assert "Traceback" not in errors
    events = [json.loads(line) for line in captions.read_text("utf-8").splitlines()]
    assert events[-1]["type"] == "summary"
    assert events[-1]["audio_s"] > 60, "the whole recording"


@pytest.mark.parametrize("form", ["text", "jsonl"])
def test_who_stops_reading_the_only_output_ends_the_run_without_a_word(form: str) -> None:
    assert read_one_line(TALK, "--format", form) == (0, "")


def closed(streams: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A run whose ``streams``, as a shell writes it, are closed."""
    words = ["sh", "-c", f'"$@" {streams}', "sh", *command(*arguments)]
    return subprocess.run(words, capture_output=True, text=True, timeout=100, check=False)


def test_a_closed_standard_output_is_refused_with_the_way_out() -> None:
    done = closed(">&-", ASK_NOT)
    assert done.returncode == 2
    assert done.stderr.splitlines() == ["decalage: standard output is closed; write to a file with -o"]


def test_with_all_streams_closed_a_file_is_written(tmp_path: Path) -> None:
    captions = tmp_path / "captions.txt"
    assert closed(">&- 2>&- <&-", ASK_NOT, "-o", str(captions)).returncode == 0
    assert "ask not" in captions.read_text("utf-8").lower()


@pytest.mark.parametrize("streams", ["2>&-", "2>/dev/full"])
def test_without_standard_error_captions_are_written_and_the_exit_code_is_right(streams: str) -> None:
    done = closed(streams, ASK_NOT, "--format", "txt")
    assert done.returncode == 0
    assert "ask not" in done.stdout.lower()
    assert closed(streams, "nothing.wav").returncode == 2
