"""``decalage batch --again``: everything anew, and on from where that was interrupted."""

from __future__ import annotations

import json
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

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.heard: list[str] = []
        self.failing: set[int] = set()
        self.stop_at = ""
        """With this file a person interrupts."""
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
        return Ended(outcomes, 1.0, interrupted=bool(self.stop_at))


def test_again_that_was_interrupted_goes_on_from_there(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in "abc":
        recording(tmp_path / "in" / f"{name}.wav", ord(name))
    fakes = Fakes(monkeypatch)
    plain = (tmp_path / "in", "-o", tmp_path / "out", "--model", "none-of-these")
    assert told(capsys, *plain)[0] == 0
    dry, again = (*plain, "--again", "--dry-run"), (*plain, "--again")
    assert [line.split()[0] for line in told(capsys, *dry)[1].splitlines()[:3]] == ["again"] * 3
    assert "as before" in told(capsys, *dry)[1].splitlines()[-1]
    fakes.heard, fakes.stop_at = [], "b.wav"
    code, _, error = told(capsys, *again)
    assert (code, fakes.heard) == (130, ["a.wav", "b.wav"])
    assert "1 left: the same command goes on" in error
    assert "--again of" not in error
    due = told(capsys, *dry)[1].splitlines()
    assert [line.split()[0] for line in due[:3]] == ["done", "done", "again"]
    fakes.heard, fakes.stop_at = [], ""
    code, _, error = told(capsys, *again)
    assert code == 0
    assert f"decalage: --again of {time.strftime('%Y-')}" in error
    assert fakes.heard == ["c.wav"]
    assert told(capsys, *again)[0] == 0
    assert fakes.heard == ["c.wav", "a.wav", "b.wav", "c.wav"]
    assert not (tmp_path / "out" / ".decalage" / "again.json").exists()


@pytest.mark.parametrize("text", ["", "[]", '{"a": "soon"}', '{"a": NaN}', "[" * 100_000, "\udc80"], ids=repr)
def test_a_note_of_what_is_made_again_that_cannot_be_read_is_none(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str
) -> None:
    recording(tmp_path / "in" / "a.wav", 1)
    (tmp_path / "out" / ".decalage").mkdir(parents=True)
    (tmp_path / "out" / ".decalage" / "again.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    fakes = Fakes(monkeypatch)
    plain = (tmp_path / "in", "-o", tmp_path / "out", "--model", "none-of-these")
    assert told(capsys, *plain, "--again", "--dry-run")[1].startswith("new ")
    assert told(capsys, *plain, "--again")[0] == 0
    assert fakes.heard == ["a.wav"]


def test_what_was_no_part_of_an_interrupted_again_is_made_anew_by_the_next(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in "abc":
        recording(tmp_path / "in" / f"{name}.wav", ord(name))
    fakes, out = Fakes(monkeypatch), ("-o", tmp_path / "out", "--model", "none-of-these", "--again")
    a, b, c = (tmp_path / "in" / f"{name}.wav" for name in "abc")
    fakes.stop_at = "a.wav"
    assert told(capsys, a, b, *out)[0] == 130
    fakes.stop_at = ""
    assert told(capsys, c, *out[:-1])[0] == 0
    fakes.heard = []
    assert told(capsys, a, b, c, *out)[0] == 0
    assert fakes.heard == ["b.wav", "c.wav"]


def test_where_nothing_is_left_of_an_interrupted_again_it_begins_anew(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in "ab":
        recording(tmp_path / "in" / f"{name}.wav", ord(name))
    fakes, out = Fakes(monkeypatch), ("-o", tmp_path / "out", "--model", "none-of-these", "--again")
    fakes.stop_at = "a.wav"
    assert told(capsys, tmp_path / "in", *out)[0] == 130
    fakes.heard, fakes.stop_at = [], ""
    code, _, error = told(capsys, tmp_path / "in" / "a.wav", *out)
    assert (code, fakes.heard) == (0, ["a.wav"])
    assert "goes on" not in error
    (kept,) = json.loads((tmp_path / "out" / ".decalage" / "again.json").read_text("utf-8"))
    assert kept == "b"


def test_again_keeps_what_is_better_than_what_comes_of_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    recording(tmp_path / "in" / "a.wav", 1, 2)
    fakes = Fakes(monkeypatch)
    plain = (tmp_path / "in", "-o", tmp_path / "out", "--model", "none-of-these")
    assert told(capsys, *plain)[0] == 0
    before = standing_files(tmp_path / "out")
    fakes.failing = {1}
    code, report, _ = told(capsys, *plain, "--again", "--report", "-")
    assert (code, fakes.heard) == (0, ["a.wav"] * 3)
    assert "cannot hear 1" in json.loads(report)["files"][0]["error"], (
        "what is there is whole, and yet it is told"
    )
    assert standing_files(tmp_path / "out") == before
