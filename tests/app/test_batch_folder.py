"""The folder of the results: whole sets, whatever kills the program when."""

from __future__ import annotations

import errno
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decalage.app.batch.folder import ResultFolder, made_file
from decalage.app.batch.record import Record, Records, read_record
from decalage.errors import OutputError, UsageError
from tests.app.batch_kit import record_of, standing_files

OLD = record_of("week/talk", quality="done", sha256="a" * 64)
NEW = record_of(
    "week/talk",
    sha256="b" * 64,
    files={"txt": "week/talk.txt", "pt.srt": "week/talk.pt.srt", "vtt": "week/talk.vtt"},
)


def text_of(record: Record, suffix: str) -> str:
    return f"{suffix} of {record.sha256[0]}\n" * 100


def made(folder: ResultFolder, record: Record) -> Path:
    """A set of ``record`` that waits to be put into its place."""
    path = folder.begin()
    for suffix in record.files:
        made_file(path, suffix).write_text(text_of(record, suffix))
    return path


def held(folder: ResultFolder, record: Record) -> bool:
    """Whether the set of ``record`` is there, as it was made, and nothing else."""
    there = {path: content.decode() for path, content in standing_files(folder.path).items()}
    return there == {path: text_of(record, suffix) for suffix, path in record.files.items()}


def test_a_set_is_put_into_its_place_and_its_record_says_so(tmp_path: Path) -> None:
    with ResultFolder(tmp_path / "new" / "out") as folder:
        folder.commit(made(folder, OLD), OLD)
        assert held(folder, OLD)
    with ResultFolder(folder.path) as again:
        assert list(again.records) == [OLD]
        assert again.missing(OLD) == set()
        (folder.path / "week" / "talk.srt").unlink()
        assert again.missing(OLD) == {"srt"}


def test_what_a_set_no_longer_holds_is_deleted(tmp_path: Path) -> None:
    with ResultFolder(tmp_path) as folder:
        folder.commit(made(folder, OLD), OLD)
        folder.commit(made(folder, NEW), NEW)
        assert held(folder, NEW)


def test_files_that_are_there_already_stay(tmp_path: Path) -> None:
    with ResultFolder(tmp_path) as folder:
        folder.commit(made(folder, OLD), OLD)
        more = record_of("week/talk", files={**OLD.files, "vtt": "week/talk.vtt"})
        path = folder.begin()
        made_file(path, "vtt").write_text(text_of(more, "vtt"))
        folder.commit(path, more)
        assert held(folder, more)


def test_only_one_batch_at_a_time_writes(tmp_path: Path) -> None:
    refused = pytest.raises(UsageError, match="another batch is at work")
    with ResultFolder(tmp_path), refused, ResultFolder(tmp_path):
        pass
    with ResultFolder(tmp_path) as folder:
        assert len(folder.records) == 0


def test_a_folder_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"), ResultFolder(tmp_path / "file"):
        pass


def test_a_set_that_cannot_be_put_into_its_place_is_none(tmp_path: Path) -> None:
    with ResultFolder(tmp_path) as folder:
        folder.commit(made(folder, OLD), OLD)
    (tmp_path / "week" / "talk.vtt").mkdir()
    with ResultFolder(tmp_path) as folder:
        with pytest.raises(OutputError, match="cannot write") as refused:
            folder.commit(made(folder, NEW), NEW)
        assert isinstance(refused.value.__cause__, OSError)
        assert held(folder, OLD)


def test_it_waits_until_nothing_is_in_its_way(tmp_path: Path) -> None:
    (tmp_path / "week" / "talk.vtt").mkdir(parents=True)
    with ResultFolder(tmp_path) as folder, pytest.raises(OutputError, match="is a directory"):
        folder.commit(made(folder, NEW), NEW)
    with ResultFolder(tmp_path) as folder:
        assert standing_files(tmp_path) == {}
        assert [record.quality for record in folder.records] == ["incomplete"]
    (tmp_path / "week" / "talk.vtt").rmdir()
    with ResultFolder(tmp_path) as folder:
        assert list(folder.records) == [NEW]
        assert held(folder, NEW)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "not JSON",
        OLD.as_text()[:-5],
        OLD.as_text().replace('"form": 1', '"form": 2'),
        OLD.as_text().replace('"done"', '"perfect"'),
        OLD.as_text().replace('"week/talk.txt"', '"../../talk.txt"'),
        OLD.as_text().replace('"week/talk.txt"', '"/etc/passwd"'),
        OLD.as_text().replace('"week/talk.txt"', '"week/other.txt"'),
        OLD.as_text().replace("talk", "talk\\u0000"),
        OLD.as_text().replace('"captions": 3', '"captions": "3"'),
        OLD.as_text().replace('"settings": {}', '"settings": ' + "[" * 100_000),
        OLD.as_text().replace('"audio_s": 60.0', '"audio_s": "60"'),
        OLD.as_text().replace('"sha256"', '"sha512"'),
    ],
)
def test_a_record_that_is_not_as_it_was_written_is_none(tmp_path: Path, text: str) -> None:
    assert text != OLD.as_text()
    assert read_record(text) is None
    with ResultFolder(tmp_path) as folder:
        folder.commit(made(folder, OLD), OLD)
    (tmp_path / ".decalage" / "done" / "week" / "talk.json").write_text(text)
    with ResultFolder(tmp_path) as folder:
        assert len(folder.records) == 0


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=5), each, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(sorted(json.loads(OLD.as_text()))), json_values, max_size=4))
def test_whatever_a_record_says_its_files_have_its_name(changed: dict[str, object]) -> None:
    record = read_record(json.dumps({**json.loads(OLD.as_text()), **changed}))
    if record is not None:
        assert record.files == {suffix: f"{record.name}.{suffix}" for suffix in record.files}
        assert ".." not in Path(record.name).parts


def set_aside(folder: Path, record: Record) -> Path:
    """A set of ``record`` as a batch leaves it that was killed."""
    waiting = folder / ".decalage" / "work" / record.sha256[0]
    waiting.mkdir(parents=True)
    for suffix in record.files:
        made_file(waiting, suffix).write_text("hostile")
    (waiting / "record.json").write_text(record.as_text())
    return waiting


@pytest.mark.parametrize("link", ["week", ".decalage/done/week"])
@pytest.mark.parametrize("kind", ["waiting", "before"])
def test_a_folder_of_somebody_else_changes_nothing_outside_it(tmp_path: Path, link: str, kind: str) -> None:
    home, got = tmp_path / "home", tmp_path / "got"
    home.mkdir()
    for name in ("talk.txt", "talk.srt", "talk.json"):
        (home / name).write_text("mine")
    with ResultFolder(got) as folder:
        if kind == "before":
            folder.commit(made(folder, OLD), OLD)
    if kind == "before":
        (got / link).rename(tmp_path / "was here")
    (got / link).parent.mkdir(exist_ok=True)
    (got / link).symlink_to(home)
    before = standing_files(home)
    if kind == "waiting":
        set_aside(got, OLD)
    with ResultFolder(got) as folder:
        with pytest.raises(OutputError, match="a link leads out of the folder"):
            folder.commit(made(folder, NEW), NEW)
        other = record_of("other")
        folder.commit(made(folder, other), other)
        assert standing_files(home) == before


@pytest.mark.parametrize("name", ["", "work", "done", "lock"])
def test_links_where_this_program_deletes_are_refused(tmp_path: Path, name: str) -> None:
    home, link = tmp_path / "home", tmp_path / "got" / ".decalage" / name
    set_aside(home, OLD)
    link.parent.mkdir(parents=True)
    link.symlink_to(home)
    before = standing_files(home), sorted(home.rglob("*"))
    with pytest.raises(OutputError, match="is a link; delete it"), ResultFolder(tmp_path / "got"):
        pass
    assert (standing_files(home), sorted(home.rglob("*"))) == before


def test_links_in_a_set_that_waits_are_not_written_through(tmp_path: Path) -> None:
    mine = tmp_path / "home" / "record.json"
    mine.parent.mkdir()
    mine.write_text("mine")
    got = tmp_path / "got"
    (got / "week" / "talk.srt").mkdir(parents=True)
    set_aside(got, OLD)
    (set_aside(got, NEW) / "before.part").symlink_to(mine)
    (got / ".decalage" / "work" / "z").symlink_to(mine.parent)
    with ResultFolder(got):
        assert mine.read_text() == "mine"


def test_a_record_survives_names_that_are_no_unicode() -> None:
    odd = record_of("talk \udcff", source="/archive/\udcff.wav")
    assert read_record(odd.as_text()) == odd


def test_records_are_found_by_name_and_content() -> None:
    records = Records([OLD, record_of("other")])
    records.add(NEW)
    assert records.named("week/talk") == NEW
    assert records.alike("a" * 64, "f" * 32) == [record_of("other")]
    assert records.alike("b" * 64, "f" * 32) == [NEW]
    records.remove("week/talk")
    assert records.alike("b" * 64, "f" * 32) == []
    assert records.named("week/talk") is None


class Killed(BaseException):
    """The program is no more."""


class _Death:
    """After ``left`` accesses to the disk from now on, at each one this thread is killed, or refused."""

    thread: int | None = None
    left = 0
    seen = 0
    error: BaseException = Killed()
    once = False

    def __call__(self, event: str, _arguments: tuple[object, ...]) -> None:
        if self.thread != threading.get_ident() or not event.startswith(("open", "os.", "shutil.")):
            return
        self.seen += 1
        if self.seen == self.left + 1 or (self.seen > self.left and not self.once):
            raise self.error


_death = _Death()
sys.addaudithook(_death)


@contextmanager
def killed(after: int) -> Iterator[None]:
    """What is inside ends at the access number ``after``; nothing is cleaned up by it."""
    with dying(after, Killed()):
        yield


@contextmanager
def dying(after: int, error: BaseException, *, once: bool = False) -> Iterator[None]:
    """``error`` is raised at the access number ``after``, and unless ``once`` at all that follow."""
    _death.seen, _death.left, _death.error, _death.once = 0, after, error, once
    _death.thread = threading.get_ident()
    try:
        yield
    except (Killed, OSError, OutputError):
        pass
    finally:
        _death.thread = None


def accesses() -> int:
    """In the last ``killed``."""
    return _death.seen


def commit(path: Path, record: Record, *, after: int = 1_000_000) -> int:
    """Put ``record`` into ``path`` and die ``after`` accesses to the disk; how many there were."""
    with ResultFolder(path) as folder:  # the lock goes with the process
        with killed(after):
            folder.commit(made(folder, record), record)
        return accesses()


def recovered(path: Path, *, after: int = 1_000_000) -> int:
    folder = ResultFolder(path)
    with killed(after):
        folder.__enter__()
    seen = accesses()
    folder.close()
    return seen


def whole(path: Path, *records: Record) -> None:
    """Every result is that of one of ``records``, and a record is there only where all of its files are."""
    texts = {text_of(record, suffix) for record in records for suffix in record.files}
    assert all(content.decode() in texts for content in standing_files(path).values())
    folder = ResultFolder(path)
    folder.read()
    for record in folder.records:
        there = standing_files(path)
        assert {path: text_of(record, suffix).encode() for suffix, path in record.files.items()} == {
            path: there[path] for path in record.files.values()
        }


def test_a_kill_at_any_moment_leaves_the_old_set_or_the_new_one(tmp_path: Path) -> None:
    steps = commit(tmp_path / "counted", NEW)
    outcomes = set()
    for step in range(steps + 1):
        path = tmp_path / str(step)
        commit(path, OLD)
        commit(path, NEW, after=step)
        whole(path, OLD, NEW)
        with ResultFolder(path) as folder:
            (record,) = folder.records
            assert held(folder, record), f"killed at access {step} of {steps}"
            assert list((path / ".decalage" / "work").iterdir()) == []
            outcomes.add(record.sha256)
    assert outcomes == {OLD.sha256, NEW.sha256}


def test_a_kill_while_the_next_batch_mends_that_is_mended_by_the_one_after(tmp_path: Path) -> None:
    steps = commit(tmp_path / "counted", NEW)
    for step in range(0, steps + 1, 2):
        count = 1
        second = 0
        while second < count:
            path = tmp_path / f"{step}-{second}"
            commit(path, OLD)
            commit(path, NEW, after=step)
            count = max(count, recovered(path, after=second))
            whole(path, OLD, NEW)
            with ResultFolder(path) as folder:
                (record,) = folder.records
                assert held(folder, record), f"killed at {step}, then at {second}"
            second += 3


def refused(path: Path, record: Record, *, after: int, once: bool = False) -> None:
    """Put ``record`` into ``path`` while the disk fails, ``once`` or for good."""
    with ResultFolder(path) as folder, dying(after, OSError(errno.EIO, "Input/output error"), once=once):
        folder.commit(made(folder, record), record)


@pytest.mark.parametrize("once", [True, False])
def test_a_disk_that_fails_at_any_moment_leaves_a_set_that_the_next_batch_completes(
    tmp_path: Path, once: bool
) -> None:
    outcomes = set()
    for step in range(commit(tmp_path / "counted", NEW)):
        path = tmp_path / str(step)
        commit(path, OLD)
        refused(path, NEW, after=step, once=once)
        whole(path, OLD, NEW)
        with ResultFolder(path) as folder:
            (record,) = folder.records
            assert held(folder, record), f"failed at access {step}"
            assert list((path / ".decalage" / "work").iterdir()) == []
            outcomes.add(record.sha256)
    assert outcomes == {OLD.sha256, NEW.sha256}


def test_of_two_sets_the_newer_stands_whatever_became_of_the_older(tmp_path: Path) -> None:
    for step in range(commit(tmp_path / "counted", NEW)):
        path = tmp_path / str(step)
        commit(path, OLD)
        refused(path, NEW, after=step)
        in_the_way = path / "week" / "talk.txt"
        in_the_way.unlink(missing_ok=True)
        in_the_way.mkdir()
        with ResultFolder(path) as folder:
            last = replace(OLD, sha256="c" * 64, files={"jsonl": "week/talk.jsonl"})
            folder.commit(made(folder, last), last)
            in_the_way.rmdir()
            assert held(folder, last), f"failed at access {step}"
        with ResultFolder(path) as folder:
            assert list(folder.records) == [last]
            assert held(folder, last)
            assert list((path / ".decalage" / "work").iterdir()) == []
