"""What fails in a batch: it stops no other file, is told, and is tried again where it may pass."""

from __future__ import annotations

import errno
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from decalage.app.batch.folder import ResultFolder
from decalage.app.batch.plan import Task
from decalage.app.batch.runner import Batch
from decalage.app.batch.work import RuntimeHearing, attempt
from decalage.config import RuntimeOptions, StreamOptions
from decalage.errors import OutputError, StrandedError
from decalage.runtimes.local import LocalRuntime
from decalage.runtimes.pipeline import PipelineRuntime
from decalage.testing.engines import FakeBlueprint, FakeRecognizer, FakeTranslator
from tests.app.batch_kit import (
    PLAIN,
    Noted,
    hearing,
    recording,
    run,
    standing_files,
    start_of,
    states,
    tasks_for,
    work_left,
)


def test_one_file_that_cannot_be_heard_stops_no_other(tmp_path: Path) -> None:
    for name in ("a", "b", "c", "d"):
        recording(tmp_path / "in" / f"{name}.wav", ord(name))

    def refuse(task: Task, _time: int) -> None:
        if task.path.name == "b.wav":
            raise ZeroDivisionError("a defect")
        if task.path.name == "c.wav":
            task.path.unlink()

    with hearing() as heard:
        heard.before = refuse
        outcomes = run(tmp_path / "out", [tmp_path / "in"], heard)
    assert states(outcomes) == {
        "a.wav": ("done", "captioned"),
        "b.wav": ("failed", None),
        "c.wav": ("failed", None),
        "d.wav": ("done", "captioned"),
    }
    assert outcomes["b.wav"].error == "ZeroDivisionError: a defect"
    assert outcomes["b.wav"].tries == 1
    assert outcomes["c.wav"].error == f"{tmp_path}/in/c.wav does not exist; check the name"
    assert work_left(tmp_path / "out") == []


@pytest.mark.parametrize("error", [MemoryError(), OSError(errno.EIO, "Input/output error"), None], ids=repr)
def test_what_fails_in_passing_is_tried_again(tmp_path: Path, error: Exception | None) -> None:
    recording(tmp_path / "in" / "a.wav", 1, 2)
    recording(tmp_path / "in" / "b.wav", 3)
    failing: list[int] = []

    def once(word: int) -> None:
        if word == 2 and error is None and not failing:
            failing.append(word)
            raise MemoryError

    def first(task: Task, time: int) -> None:
        if error is not None and task.path.name == "a.wav" and time == 1:
            raise error

    with hearing(FakeBlueprint(FakeRecognizer(work=once))) as heard:
        heard.before = first
        outcomes = run(tmp_path / "out", [tmp_path / "in"], heard)
    assert states(outcomes) == {"a.wav": ("done", "captioned"), "b.wav": ("done", "captioned")}
    assert (outcomes["a.wav"].tries, outcomes["b.wav"].tries) == (2, 1)
    assert b"word 2" in standing_files(tmp_path / "out")["a.txt"]


def test_speech_that_always_fails_is_told_and_the_rest_is_kept_and_tried_by_the_next_batch(
    tmp_path: Path,
) -> None:
    recording(tmp_path / "in" / "a.wav", 1, 2, 3)
    blueprint = FakeBlueprint(FakeRecognizer(failing={2}))
    with hearing(blueprint) as heard:
        outcome = run(tmp_path / "out", [tmp_path / "in"], heard, retries=2)["a.wav"]
        assert (outcome.state, outcome.tries) == ("incomplete", 3)
        assert outcome.error == "0.3-0.5 s failed (asr: cannot hear 2)"
        assert outcome.lost == ("0.3-0.5 s failed (asr: cannot hear 2)",)
        assert standing_files(tmp_path / "out")["a.txt"].decode().splitlines()[::2] == [
            "en: word 1",
            "en: word 3",
        ]
        blueprint.fake_recognizer.failing.clear()
        again = run(tmp_path / "out", [tmp_path / "in"], heard)["a.wav"]
    assert (again.state, again.how, again.tries) == ("done", "captioned", 1)
    assert work_left(tmp_path / "out") == []


def test_a_later_batch_in_which_more_fails_changes_nothing(tmp_path: Path) -> None:
    recording(tmp_path / "in" / "a.wav", 1, 2, 3)
    blueprint = FakeBlueprint(FakeRecognizer(failing={2}))
    with hearing(blueprint) as heard:
        run(tmp_path / "out", [tmp_path / "in"], heard)
        before = standing_files(tmp_path / "out")
        blueprint.fake_recognizer.failing = {1, 2}
        outcome = run(tmp_path / "out", [tmp_path / "in"], heard)["a.wav"]
    assert (outcome.state, outcome.how, len(outcome.lost)) == ("incomplete", "captioned", 2)
    assert standing_files(tmp_path / "out") == before
    assert b"word 3" in before["a.txt"]
    assert work_left(tmp_path / "out") == []
    blueprint.fake_recognizer.failing = set()
    with hearing(blueprint) as heard:
        again = run(tmp_path / "out", [tmp_path / "in"], heard)["a.wav"]
    assert (again.state, again.how) == ("done", "captioned")


def test_a_later_batch_that_misses_more_translations_changes_nothing(tmp_path: Path) -> None:
    recording(tmp_path / "in" / "a.wav", 1, 2, 3)
    translator, both = FakeTranslator(failing_targets={"es"}), replace(PLAIN, targets=("pt", "es", "fr"))
    with hearing(FakeBlueprint(fake_translator=translator)) as heard:
        run(tmp_path / "out", [tmp_path / "in"], heard, settings=both)
        before = standing_files(tmp_path / "out")
        translator.failing_targets = {"es", "fr"}
        outcome = run(tmp_path / "out", [tmp_path / "in"], heard, settings=both)["a.wav"]
    assert (outcome.state, len(outcome.lost)) == ("incomplete", 6)
    assert standing_files(tmp_path / "out") == before


@pytest.mark.parametrize("others", [{}, {"targets": ("es",)}], ids=["the same settings", "others"])
def test_a_set_without_a_caption_takes_the_place_of_none(tmp_path: Path, others: dict[str, Any]) -> None:
    recording(tmp_path / "in" / "a.wav", 1, 2)
    blueprint = FakeBlueprint(FakeRecognizer(failing={2}))
    with hearing(blueprint) as heard:
        run(tmp_path / "out", [tmp_path / "in"], heard)
        before = standing_files(tmp_path / "out")
        blueprint.fake_recognizer.failing = {1, 2}
        settings = replace(PLAIN, **others)
        outcome = run(tmp_path / "out", [tmp_path / "in"], heard, settings=settings)["a.wav"]
    assert (outcome.state, outcome.how, outcome.record, outcome.tries) == ("failed", None, None, 2)
    assert outcome.error is not None
    assert outcome.error.startswith("2 pieces failed")
    assert standing_files(tmp_path / "out") == before
    assert work_left(tmp_path / "out") == []


def test_when_nobody_is_left_to_hear_the_batch_ends_and_the_next_one_goes_on(tmp_path: Path) -> None:
    for name in "abc":
        recording(tmp_path / "in" / f"{name}.wav", ord(name))

    def strand(task: Task, _time: int) -> None:
        if task.path.name == "b.wav":
            raise StrandedError("no node is left")

    with hearing() as heard, ResultFolder(tmp_path / "out") as folder:
        heard.before = strand
        batch = Batch(tasks_for(folder, [tmp_path / "in"]), folder, heard, Noted(), streams=lambda: 1)
        outcomes = batch.run()
    assert str(batch.fatal) == "no node is left"
    assert [each.state for each in outcomes] == ["done", "left", "left"]
    with hearing() as heard:
        again = run(tmp_path / "out", [tmp_path / "in"], heard)
    assert {each.state for each in again.values()} == {"done"}
    assert heard.heard == {"b.wav": 1, "c.wav": 1}


@pytest.mark.parametrize("stranded", [None, "no node is left for recognition"])
def test_speech_that_failed_ends_the_batch_only_where_nobody_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stranded: str | None
) -> None:
    recording(tmp_path / "in" / "a.wav", 1, 2)
    monkeypatch.setattr(LocalRuntime, "stranded", stranded)
    monkeypatch.setattr("decalage.app.batch.work.start_event", lambda settings, *_: start_of(settings))
    monkeypatch.setattr("decalage.app.batch.work.stream_options", lambda *_: StreamOptions())
    blueprint: Any = FakeBlueprint(FakeRecognizer(failing={2}))
    with closing(PipelineRuntime(blueprint, RuntimeOptions())) as runtime, ResultFolder(tmp_path) as folder:
        (task,) = tasks_for(folder, [tmp_path / "in"])
        how = RuntimeHearing(runtime, {task.settings: blueprint})
        if stranded is None:
            assert attempt(task, "a" * 64, folder.begin(), how, lambda _: None).passing
        else:
            with pytest.raises(StrandedError, match="no node is left for recognition; the same command"):
                attempt(task, "a" * 64, folder.begin(), how, lambda _: None)


def test_a_copy_that_has_no_place_is_no_fault_of_what_it_is_made_of(tmp_path: Path) -> None:
    recording(tmp_path / "in" / "a.wav", 1)
    with hearing() as heard:
        run(tmp_path / "out", [tmp_path / "in"], heard)
        recording(tmp_path / "in" / "b.wav", 1)
        (tmp_path / "out" / "b.srt").mkdir()
        with ResultFolder(tmp_path / "out") as folder:
            tasks = tasks_for(folder, [tmp_path / "in"])
            names = {task.path.name: task.name for task in tasks}
            tasks = [replace(task, name=task.path.stem) for task in tasks]
            outcomes = Batch(tasks, folder, heard, Noted(), streams=lambda: 1).run()
            assert folder.records.named("a") is not None
    assert names["b.wav"] != "b", "the name would have been another, had it been known"
    assert [each.state for each in outcomes] == ["done", "failed"]
    assert heard.heard == {"a.wav": 1}


def test_the_best_of_several_tries_is_kept(tmp_path: Path) -> None:
    recording(tmp_path / "in" / "a.wav", 1, 2, 3)
    blueprint = FakeBlueprint(FakeRecognizer(failing={2}))

    def worse(_task: Task, time: int) -> None:
        blueprint.fake_recognizer.failing = {2} if time == 1 else {1, 2, 3}

    with hearing(blueprint) as heard:
        heard.before = worse
        outcome = run(tmp_path / "out", [tmp_path / "in"], heard)["a.wav"]
    assert (outcome.state, len(outcome.lost), outcome.tries) == ("incomplete", 1, 2)
    assert b"word 3" in standing_files(tmp_path / "out")["a.txt"]
    assert work_left(tmp_path / "out") == []


def test_a_damaged_file_is_captioned_as_far_as_it_goes_told_and_not_tried_again(tmp_path: Path) -> None:
    recording(tmp_path / "in" / "a.wav", 1, 2, lost_bytes=10_000)
    with hearing() as heard:
        first = run(tmp_path / "out", [tmp_path / "in"], heard)["a.wav"]
        again = run(tmp_path / "out", [tmp_path / "in"], heard)["a.wav"]
    assert (first.state, first.how, first.tries) == ("damaged", "captioned", 1)
    assert (again.state, again.how) == ("damaged", "before")
    assert first.error is not None
    assert "10000 bytes of the sound it promises are not there" in first.error
    assert again.error == first.error
    assert b"word 1" in standing_files(tmp_path / "out")["a.txt"]


def test_a_file_that_changes_while_it_is_read_is_read_again(tmp_path: Path) -> None:
    recording(tmp_path / "in" / "a.wav", 1)

    def edit(task: Task, time: int) -> None:
        if time == 1:
            recording(task.path, 2, 3)

    with hearing() as heard:
        heard.before = edit
        outcome = run(tmp_path / "out", [tmp_path / "in"], heard)["a.wav"]
        assert (outcome.state, outcome.tries) == ("done", 2)
        heard.before = lambda task, _time: edit(task, 1)
        recording(tmp_path / "in" / "a.wav", 8)
        never = run(tmp_path / "out", [tmp_path / "in"], heard, retries=0)["a.wav"]
    assert (never.state, never.error) == ("failed", f"{tmp_path}/in/a.wav changed while it was read")
    assert (
        standing_files(tmp_path / "out")["a.txt"] == b"en: word 2\npt: pt:word 2\nen: word 3\npt: pt:word 3\n"
    )


def test_a_full_disk_ends_the_batch_with_what_is_done(tmp_path: Path) -> None:
    for name in "abcd":
        recording(tmp_path / "in" / f"{name}.wav", ord(name))

    def fill(task: Task, _time: int) -> None:
        if task.path.name == "b.wav":
            raise OutputError("cannot write b.srt: the disk is full") from OSError(errno.ENOSPC, "full")

    with hearing() as heard, ResultFolder(tmp_path / "out") as folder:
        heard.before = fill
        batch = Batch(tasks_for(folder, [tmp_path / "in"]), folder, heard, Noted(), streams=lambda: 1)
        outcomes = batch.run()
    assert str(batch.fatal) == "cannot write b.srt: the disk is full"
    assert [each.state for each in outcomes] == ["done", "left", "left", "left"]
    assert heard.heard == {"a.wav": 1, "b.wav": 1}
    assert work_left(tmp_path / "out") == []
