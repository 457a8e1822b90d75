"""Many files through one runtime, without models: each is heard once, and has its results."""

from __future__ import annotations

import errno
import json
import shutil
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decalage.app.batch.folder import ResultFolder
from decalage.app.batch.outcome import Outcome
from decalage.app.batch.runner import Batch
from decalage.testing.engines import FakeBlueprint, FakeRecognizer, Gate
from tests.app.batch_kit import (
    Noted,
    background,
    gated,
    hearing,
    recording,
    run,
    standing_files,
    states,
    tasks_for,
    work_left,
)


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
