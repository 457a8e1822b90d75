"""``decalage batch --again``: everything anew, and on from where that was interrupted."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from decalage.app.batch.folder import ResultFolder
from decalage.app.batch.plan import Task
from decalage.app.batch.run import Ended
from decalage.app.batch.runner import Batch
from decalage.testing.engines import FakeBlueprint, FakeRecognizer
from tests.app.batch_kit import Noted, hearing, recording, standing_files
from tests.app.test_batch import told


class Fakes:
    """Batches whose files the fakes hear, one at a time."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path
    ) -> None:
        self.recordings, self.results = folder / "in", folder / "out"
        self.heard: list[str] = []
        self.failing: set[int] = set()
        self.stop_at = ""
        """With this file a person interrupts."""
        self._capsys = capsys
        monkeypatch.setattr("decalage.app.commands.batch.caption_all", self.caption_all)
        monkeypatch.setattr("decalage.app.commands.batch.make_blueprint", lambda _: None)

    def caption_all(self, tasks: Sequence[Task], folder: ResultFolder, *_: object, **__: object) -> Ended:
        with hearing(FakeBlueprint(FakeRecognizer(failing=self.failing))) as fakes:
            batch = Batch(tasks, folder, fakes, Noted(), streams=lambda: 1)

            def note(task: Task, _time: int) -> None:
                self.heard.append(task.path.name)
                if task.path.name == self.stop_at:
                    batch.stop()

            fakes.before = note
            outcomes = batch.run()
        return Ended(outcomes, 1.0, [signal.SIGINT] if self.stop_at else [])

    def told(self, *options: str, only: str = "", stop_at: str = "") -> tuple[int, str, str]:
        """A batch of all recordings, or of some: its exit code, standard output and standard error."""
        self.heard, self.stop_at = [], stop_at
        given = [self.recordings / f"{name}.wav" for name in only] or [self.recordings]
        return told(self._capsys, *given, "-o", self.results, "--model", "none-of-these", *options)


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Fakes:
    made = Fakes(monkeypatch, capsys, tmp_path)
    for name in "abc":
        recording(made.recordings / f"{name}.wav", ord(name), ord(name) + 1000)
    return made


def due(dry_run: tuple[int, str, str]) -> list[str]:
    """What is to be done of each of the three files."""
    return [line.split()[0] for line in dry_run[1].splitlines()[:3]]


def test_again_that_was_interrupted_goes_on_from_there(fakes: Fakes) -> None:
    assert fakes.told()[0] == 0
    dry_run = fakes.told("--again", "--dry-run")
    assert due(dry_run) == ["again"] * 3
    assert "as before" in dry_run[1].splitlines()[-1]
    code, _, error = fakes.told("--again", stop_at="b.wav")
    assert (code, fakes.heard) == (130, ["a.wav", "b.wav"])
    assert "1 left: the same command goes on" in error
    assert "--again of" not in error
    assert due(fakes.told("--again", "--dry-run")) == ["done", "done", "again"]
    code, _, error = fakes.told("--again")
    assert (code, fakes.heard) == (0, ["c.wav"])
    assert f"decalage: --again of {time.strftime('%Y-')}" in error
    assert fakes.told("--again")[0] == 0
    assert fakes.heard == ["a.wav", "b.wav", "c.wav"]
    assert not (fakes.results / ".decalage" / "again.json").exists()


@pytest.mark.parametrize("text", ["", "[]", '{"a": "soon"}', '{"a": NaN}', "[" * 100_000, "\udc80"], ids=repr)
def test_a_note_of_what_is_made_again_that_cannot_be_read_is_none(fakes: Fakes, text: str) -> None:
    own = fakes.results / ".decalage"
    own.mkdir(parents=True)
    (own / "again.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert due(fakes.told("--again", "--dry-run")) == ["new"] * 3
    assert fakes.told("--again")[0] == 0
    assert fakes.heard == ["a.wav", "b.wav", "c.wav"]


def test_what_was_no_part_of_an_interrupted_again_is_made_anew_by_the_next(fakes: Fakes) -> None:
    assert fakes.told("--again", only="ab", stop_at="a.wav")[0] == 130
    assert fakes.told(only="c")[0] == 0
    assert fakes.told("--again", only="abc")[0] == 0
    assert fakes.heard == ["b.wav", "c.wav"]


def test_where_nothing_is_left_of_an_interrupted_again_it_begins_anew(fakes: Fakes) -> None:
    assert fakes.told("--again", only="ab", stop_at="a.wav")[0] == 130
    code, _, error = fakes.told("--again", only="a")
    assert (code, fakes.heard) == (0, ["a.wav"])
    assert "goes on" not in error
    (kept,) = json.loads((fakes.results / ".decalage" / "again.json").read_text("utf-8"))
    assert kept == "b"


def test_again_keeps_what_is_better_than_what_comes_of_it(fakes: Fakes) -> None:
    assert fakes.told(only="a")[0] == 0
    before = standing_files(fakes.results)
    fakes.failing = {ord("a")}
    code, report, _ = fakes.told("--again", "--report", "-", only="a")
    assert (code, fakes.heard) == (0, ["a.wav"] * 2)
    told_why = json.loads(report)["files"][0]["error"]
    assert f"cannot hear {ord('a')}" in told_why, "what is there is whole, and yet it is told"
    assert standing_files(fakes.results) == before
