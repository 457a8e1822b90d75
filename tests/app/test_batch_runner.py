"""Many files through one runtime, without models: each heard once, whatever fails, however it ends."""

from __future__ import annotations

import errno
import json
import shutil
import signal
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decalage.app.batch.folder import ResultFolder
from decalage.app.batch.outcome import Outcome
from decalage.app.batch.plan import Task
from decalage.app.batch.run import signals
from decalage.app.batch.runner import Batch
from decalage.app.batch.work import RuntimeHearing, attempt
from decalage.config import RuntimeOptions, StreamOptions
from decalage.errors import OutputError, StrandedError
from decalage.runtimes.local import LocalRuntime
from decalage.runtimes.pipeline import PipelineRuntime
from decalage.testing.engines import FakeBlueprint, FakeRecognizer, FakeTranslator, Gate
from tests.app.batch_kit import (
    PLAIN,
    FakeHearing,
    Noted,
    hearing,
    recording,
    run,
    standing_files,
    start_of,
    tasks_for,
)


def gated(gate: Gate) -> FakeBlueprint:
    return FakeBlueprint(FakeRecognizer(gate=gate))


def states(outcomes: dict[str, Outcome]) -> dict[str, tuple[str, str | None]]:
    return {name: (each.state, each.how) for name, each in outcomes.items()}


def work_left(folder: Path) -> list[Path]:
    return list((folder / ".decalage" / "work").iterdir())


@contextmanager
def background(call: Callable[[], object]) -> Iterator[None]:
    """``call`` in another thread, which has ended at the end."""
    thread = threading.Thread(target=call)
    thread.start()
    yield
    thread.join(30)
    assert not thread.is_alive()


def test_each_file_becomes_a_set_of_results(tmp_path: Path) -> None:
    recording(tmp_path / "in" / "a.wav", 1, 2)
    recording(tmp_path / "in" / "deep" / "b.wav", 3)
    with hearing() as heard:
        outcomes = run(tmp_path / "out", [tmp_path / "in"], heard)
    assert states(outcomes) == {"a.wav": ("done", "captioned"), "b.wav": ("done", "captioned")}
    there = standing_files(tmp_path / "out")
    assert sorted(there) == [
        *("a.jsonl", "a.srt", "a.txt"),
        *("deep/b.jsonl", "deep/b.srt", "deep/b.txt"),
    ]
    assert there["a.txt"].decode() == "en: word 1\npt: pt:word 1\nen: word 2\npt: pt:word 2\n"
    assert b"pt:word 3" in there["deep/b.srt"]
    events = [json.loads(line)["type"] for line in there["a.jsonl"].decode().splitlines()]
    assert events == ["start", "caption", "caption", "summary"]
    assert work_left(tmp_path / "out") == []


def test_nothing_is_heard_twice(tmp_path: Path) -> None:
    recording(tmp_path / "in" / "a.wav", 1)
    recording(tmp_path / "in" / "b.wav", 2)
    with hearing() as heard:
        run(tmp_path / "out", [tmp_path / "in"], heard)
        first = standing_files(tmp_path / "out")
        outcomes = run(tmp_path / "out", [tmp_path / "in"], heard)
    assert states(outcomes) == {"a.wav": ("done", "before"), "b.wav": ("done", "before")}
    assert heard.heard == {"a.wav": 1, "b.wav": 1}
    assert standing_files(tmp_path / "out") == first


def test_a_file_that_was_deleted_is_written_from_its_own_events(tmp_path: Path) -> None:
    recording(tmp_path / "a.wav", 1)
    with hearing() as heard:
        run(tmp_path / "out", [tmp_path / "a.wav"], heard)
        (tmp_path / "out" / "a.srt").unlink()
        assert states(run(tmp_path / "out", [tmp_path / "a.wav"], heard)) == {"a.wav": ("done", "written")}
    assert heard.heard == {"a.wav": 1}


def test_a_renamed_file_is_given_its_results_under_the_new_name(tmp_path: Path) -> None:
    source = tmp_path / "in"
    recording(source / "a.wav", 1)
    with hearing() as heard:
        run(tmp_path / "out", [source], heard)
        (source / "new").mkdir()
        (source / "a.wav").rename(source / "new" / "b.wav")
        outcomes = run(tmp_path / "out", [source], heard)
        assert states(outcomes) == {"b.wav": ("done", "reused")}
        assert heard.heard == {"a.wav": 1}
        there = standing_files(tmp_path / "out")
        assert there["new/b.srt"] == there["a.srt"]
        assert there["new/b.txt"] == there["a.txt"]
        first = json.loads(there["new/b.jsonl"].decode().splitlines()[0])
        assert first["input"] == str(source / "new" / "b.wav")
        assert there["new/b.jsonl"].splitlines()[1:] == there["a.jsonl"].splitlines()[1:]
        again = run(tmp_path / "out", [source], heard)
    assert states(again) == {"b.wav": ("done", "before")}


def test_a_moved_archive_is_known_and_not_read_the_second_time(tmp_path: Path) -> None:
    recording(tmp_path / "in" / "a.wav", 1)
    with hearing() as heard:
        run(tmp_path / "out", [tmp_path / "in"], heard)
        (tmp_path / "in").rename(tmp_path / "moved")
        outcomes = run(tmp_path / "out", [tmp_path / "moved"], heard)
        assert states(outcomes) == {"a.wav": ("done", "before")}
        assert heard.heard == {"a.wav": 1}
        assert sorted(standing_files(tmp_path / "out")) == ["a.jsonl", "a.srt", "a.txt"]
        with ResultFolder(tmp_path / "out") as folder:
            (task,) = tasks_for(folder, [tmp_path / "moved"])
    assert task.sha256 is not None


def test_changed_content_is_heard_again(tmp_path: Path) -> None:
    recording(tmp_path / "in" / "a.wav", 1)
    with hearing() as heard:
        run(tmp_path / "out", [tmp_path / "in"], heard)
        recording(tmp_path / "in" / "a.wav", 2)
        outcomes = run(tmp_path / "out", [tmp_path / "in"], heard)
    assert states(outcomes) == {"a.wav": ("done", "captioned")}
    assert standing_files(tmp_path / "out")["a.txt"] == b"en: word 2\npt: pt:word 2\n"


def test_results_that_cannot_be_used_are_made_again(tmp_path: Path) -> None:
    recording(tmp_path / "in" / "a.wav", 1)
    with hearing() as heard:
        run(tmp_path / "out", [tmp_path / "in"], heard)
        (tmp_path / "out" / "a.jsonl").write_text("not as it was written\n")
        (tmp_path / "out" / "a.srt").unlink()
        outcomes = run(tmp_path / "out", [tmp_path / "in"], heard)
    assert states(outcomes) == {"a.wav": ("done", "captioned")}
    assert work_left(tmp_path / "out") == []


def broken(folder: Path) -> None:
    """A set of results in ``folder`` can neither be used nor be told from one that can."""
    (folder / "a.jsonl").write_text("not as it was written\n")
    (folder / "a.srt").unlink()


def test_results_that_cannot_be_used_are_not_made_again_after_a_stop(tmp_path: Path) -> None:
    recording(tmp_path / "in" / "a.wav", 1)
    with hearing() as heard:
        run(tmp_path / "out", [tmp_path / "in"], heard)
        broken(tmp_path / "out")
        with ResultFolder(tmp_path / "out") as folder:
            batch = Batch(tasks_for(folder, [tmp_path / "in"]), folder, heard, Noted(), streams=lambda: 1)
            batch.stop()
            outcomes = batch.run()
    assert [each.state for each in outcomes] == ["left"]
    assert heard.heard == {"a.wav": 1}


def test_of_files_whose_results_cannot_be_used_one_is_heard(tmp_path: Path) -> None:
    first = recording(tmp_path / "in" / "a.wav", 1)
    with hearing() as heard:
        run(tmp_path / "out", [tmp_path / "in"], heard)
        broken(tmp_path / "out")
        for name in ("b.wav", "c.wav"):
            shutil.copy(first, tmp_path / "in" / name)
        outcomes = run(tmp_path / "out", [tmp_path / "in"], heard, streams=3)
    assert Counter(each.how for each in outcomes.values()) == {"captioned": 1, "reused": 2}
    assert sum(heard.heard.values()) == 2
    there = standing_files(tmp_path / "out")
    assert there["a.srt"] == there["b.srt"] == there["c.srt"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_is_full_of_copies_ends_the_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    first = recording(tmp_path / "in" / "a.wav", 1)

    def full(_source: Path, target: Path) -> None:
        raise OSError(number, "No space left on device", str(target))

    with hearing() as heard:
        run(tmp_path / "out", [tmp_path / "in"], heard)
        shutil.copy(first, tmp_path / "in" / "b.wav")
        monkeypatch.setattr(shutil, "copyfile", full)
        with ResultFolder(tmp_path / "out") as folder:
            batch = Batch(tasks_for(folder, [tmp_path / "in"]), folder, heard, Noted(), streams=lambda: 1)
            outcomes = batch.run()
    assert str(batch.fatal) == f"cannot write {tmp_path / 'out'}: no space left on device"
    assert [each.state for each in outcomes] == ["done", "left"]
    assert heard.heard == {"a.wav": 1}
    assert work_left(tmp_path / "out") == []


def test_one_content_under_several_names_is_heard_once(tmp_path: Path) -> None:
    first = recording(tmp_path / "in" / "a.wav", 1)
    for name in ("b.wav", "c.wav"):
        shutil.copy(first, tmp_path / "in" / name)
    gate = Gate()
    outcomes: dict[str, Outcome] = {}
    with (
        hearing(gated(gate)) as heard,
        background(lambda: outcomes.update(run(tmp_path / "out", [tmp_path / "in"], heard, streams=3))),
    ):
        gate.wait_inside(1)
        gate.open()
    assert sum(heard.heard.values()) == 1
    assert Counter(each.how for each in outcomes.values()) == {"captioned": 1, "reused": 2}
    there = standing_files(tmp_path / "out")
    assert there["a.srt"] == there["b.srt"] == there["c.srt"]


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


class Running:
    """A batch over four files in another thread, two of them held in recognition."""

    def __init__(self, folder: Path) -> None:
        self.gate = Gate()
        self.path = folder
        self.heard = FakeHearing(gated(self.gate))
        self.watch = Noted()
        self.outcomes: list[Outcome] = []
        for name in "abcd":
            recording(folder / "in" / f"{name}.wav", ord(name))

    @contextmanager
    def held(self) -> Iterator[Batch]:
        """While two files are in work; the batch has ended at the end."""
        with ResultFolder(self.path / "out") as folder:
            batch = Batch(
                tasks_for(folder, [self.path / "in"]),
                folder,
                self.heard,
                self.watch,
                streams=lambda: 2,
                let_go=lambda: self.heard.runtime.close(0.1),
            )
            with background(lambda: self.outcomes.extend(batch.run())):
                self.gate.wait_inside(2)
                yield batch
        self.gate.open()
        self.heard.runtime.close(30)

    def states(self) -> list[str]:
        return [each.state for each in self.outcomes]


def test_a_stop_ends_what_is_in_work_and_begins_nothing(tmp_path: Path) -> None:
    running = Running(tmp_path)
    with running.held() as batch:
        batch.stop()
        running.gate.open()
    assert running.states() == ["done", "done", "left", "left"]
    assert sorted(running.watch.began_names) == ["a", "b"]
    with hearing() as heard:
        again = run(tmp_path / "out", [tmp_path / "in"], heard)
    assert heard.heard == {"c.wav": 1, "d.wav": 1}
    assert {each.state for each in again.values()} == {"done"}


@pytest.mark.parametrize(
    ("names", "ends"),
    [
        (["SIGINT"], "in work"),
        (["SIGTERM"], "in work"),
        (["SIGHUP", "SIGHUP"], "in work"),
        (["SIGINT", "SIGTERM"], "at once"),
        (["SIGHUP", "SIGTERM"], "at once"),
        (["SIGTERM", "SIGTERM"], "at once"),
    ],
    ids=str,
)
def test_signals_end_what_is_in_work_and_the_second_drops_it(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], names: list[str], ends: str
) -> None:
    running = Running(tmp_path)
    with running.held() as batch, signals(batch) as came:
        for name in names:
            signal.raise_signal(getattr(signal, name))
        if ends == "in work":
            running.gate.open()
    assert running.states() == (["done", "done", "left", "left"] if ends == "in work" else ["left"] * 4)
    assert len(came) == (1 if ends == "in work" else 2)
    assert capfd.readouterr().err.count("finishing the files in work") == 1


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_that_the_program_was_started_to_ignore_ends_nothing(tmp_path: Path, name: str) -> None:
    number = getattr(signal, name)
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with hearing() as heard:
            batch = Batch([], ResultFolder(tmp_path), heard, Noted(), streams=lambda: 1)
            with signals(batch) as came:
                signal.raise_signal(number)
        assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, before)
    assert came == []


def test_a_second_stop_leaves_nothing_half_written(tmp_path: Path) -> None:
    running = Running(tmp_path)
    with running.held() as batch:
        batch.stop()
        batch.stop()
    assert running.states() == ["left"] * 4
    assert standing_files(tmp_path / "out") == {}
    assert work_left(tmp_path / "out") == []
    with hearing() as heard:
        again = run(tmp_path / "out", [tmp_path / "in"], heard)
    assert {each.state for each in again.values()} == {"done"}


def test_the_course_is_told_from_the_first_file_to_the_last(tmp_path: Path) -> None:
    recording(tmp_path / "in" / "a.wav", 1, 2)
    recording(tmp_path / "in" / "b.wav", 3)
    watch = Noted()
    with hearing() as heard, ResultFolder(tmp_path / "out") as folder:
        Batch(tasks_for(folder, [tmp_path / "in"]), folder, heard, watch, streams=lambda: 1).run()
    assert watch.began_names == ["a", "b"]
    assert watch.ended_names == ["a", "b"]
    assert [name for name, _ in watch.positions] == ["a", "a", "b"]
    assert [at for _, at in watch.positions] == pytest.approx([0.2, 0.5, 0.2], abs=0.01)


@settings(max_examples=25, deadline=None)
@given(
    contents=st.lists(st.integers(1, 5), min_size=1, max_size=7),
    failing=st.sets(st.integers(1, 5), max_size=2),
    streams=st.integers(1, 4),
)
def test_every_content_is_heard_once_and_every_file_has_its_end(
    contents: list[int], failing: set[int], streams: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "in", Path(folder) / "out"
        for number, word in enumerate(contents):
            recording(source / f"{number}.wav", word, 9)
        with hearing(FakeBlueprint(FakeRecognizer(failing=failing))) as heard:
            outcomes = run(out, [source], heard, streams=streams, retries=0)
            good = {word for word in contents if word not in failing}
            assert {int(name[:-4]): each.state for name, each in outcomes.items()} == {
                number: "incomplete" if word in failing else "done" for number, word in enumerate(contents)
            }
            calls = Counter(word for word in heard.fakes.fake_recognizer.calls if word in good)
            assert calls == dict.fromkeys(good, 1)
            once = dict(heard.heard)
            run(out, [source], heard, streams=streams, retries=0)
            bad = {f"{number}.wav" for number, word in enumerate(contents) if word in failing}
            assert {name for name in heard.heard if heard.heard[name] != once.get(name, 0)} == bad
        there = standing_files(out)
        for number, word in enumerate(contents):
            told = [] if word in failing else [f"en: word {word}", f"pt: pt:word {word}"]
            assert there[f"{number}.txt"].decode().splitlines() == [*told, "en: word 9", "pt: pt:word 9"]
        assert work_left(out) == []
