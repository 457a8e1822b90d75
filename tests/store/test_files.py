"""Files checked once, folders that appear whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from decalage.errors import ModelDamagedError, ModelMissingError
from decalage.store.files import cache_folder, join, verify, whole_folder

MEND = "mend it"


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("DECALAGE_CACHE", str(tmp_path / "cache"))
    return cache_folder()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "model"
    made.mkdir()
    (made / "a.bin").write_bytes(b"first")
    (made / "b.bin").write_bytes(b"second")
    return made


HASHES = {"a.bin": digest(b"first"), "b.bin": digest(b"second")}


def alter(path: Path, data: bytes, *, later_ns: int) -> None:
    """Other bytes in ``path``, its time of change ``later_ns`` after the old one."""
    at = path.stat().st_mtime_ns
    path.write_bytes(data)
    os.utime(path, ns=(at, at + later_ns))


def test_published_files_pass(folder: Path) -> None:
    verify(folder, HASHES, MEND)


def test_a_wrong_byte_is_refused_with_the_file_and_what_mends_it(folder: Path) -> None:
    alter(folder / "b.bin", b"Second", later_ns=1_000_000)
    with pytest.raises(ModelDamagedError) as told:
        verify(folder, HASHES, MEND)
    assert str(told.value) == f"{folder / 'b.bin'} is not the published file; run: {MEND}"


def test_a_missing_file_is_refused(folder: Path) -> None:
    (folder / "a.bin").unlink()
    with pytest.raises(ModelDamagedError, match=r"a\.bin is missing; run: mend it"):
        verify(folder, HASHES, MEND)


def test_a_folder_in_place_of_a_file_is_refused(folder: Path) -> None:
    (folder / "a.bin").unlink()
    (folder / "a.bin").mkdir()
    with pytest.raises(ModelDamagedError, match=r"a\.bin cannot be read.*; run: mend it"):
        verify(folder, HASHES, MEND)


def test_a_file_once_checked_is_not_hashed_again_until_it_changes(folder: Path) -> None:
    verify(folder, HASHES, MEND)
    alter(folder / "a.bin", b"FIRST", later_ns=0)
    verify(folder, HASHES, MEND)
    alter(folder / "a.bin", b"FIRST", later_ns=1_000_000)
    with pytest.raises(ModelDamagedError, match=r"a\.bin is not"):
        verify(folder, HASHES, MEND)


def test_a_new_published_hash_is_checked_in_an_unchanged_file(folder: Path) -> None:
    verify(folder, HASHES, MEND)
    with pytest.raises(ModelDamagedError, match=r"a\.bin is not"):
        verify(folder, {**HASHES, "a.bin": digest(b"newer")}, MEND)


@pytest.mark.parametrize("written", [b"", b"no json", b"[]", b"\xff\xfe"])
def test_unreadable_stamps_cost_a_second_hashing_and_nothing_else(
    folder: Path, cache: Path, written: bytes
) -> None:
    verify(folder, HASHES, MEND)
    stamps = cache / "verified.json"
    stamps.write_bytes(written)
    verify(folder, HASHES, MEND)
    assert set(json.loads(stamps.read_text("utf-8"))) == {str(folder / name) for name in HASHES}


def test_without_a_place_for_stamps_files_are_checked_all_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, folder: Path
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("DECALAGE_CACHE", str(tmp_path / "file"))
    verify(folder, HASHES, MEND)
    alter(folder / "a.bin", b"FIRST", later_ns=0)
    with pytest.raises(ModelDamagedError):
        verify(folder, HASHES, MEND)


CHECKS = """
import json, resource, sys
from pathlib import Path
from decalage.store.files import verify
resource.setrlimit(resource.RLIMIT_FSIZE, (5, 5))
verify(Path(sys.argv[1]), json.loads(sys.argv[2]), "mend it")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows bounds no size of files")
def test_where_stamps_have_no_room_nothing_of_them_stays(folder: Path, cache: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CHECKS, str(folder), json.dumps(HASHES)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert list(cache.iterdir()) == []


@pytest.fixture
def parts(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "part1", tmp_path / "part2"]
    for path, data in zip(paths, (b"one", b"two"), strict=True):
        path.write_bytes(data)
    return paths


JOINED = {"whole.bin": digest(b"onetwo")}


def left(target: Path) -> list[Path]:
    return list(target.parent.iterdir()) if target.parent.exists() else []


def test_parts_are_joined_in_their_order(cache: Path, parts: list[Path]) -> None:
    target = cache / "joined"
    join(target, {"whole.bin": parts}, JOINED, MEND)
    assert left(target) == [target]
    assert (target / "whole.bin").read_bytes() == b"onetwo"


def test_parts_that_do_not_give_the_published_file_leave_nothing(cache: Path, parts: list[Path]) -> None:
    with pytest.raises(ModelDamagedError, match=r"whole\.bin of joined is not the published file; run: mend"):
        join(cache / "joined", {"whole.bin": parts[::-1]}, JOINED, MEND)
    assert left(cache / "joined") == []


def test_a_part_that_cannot_be_read_is_named_and_leaves_nothing(cache: Path, parts: list[Path]) -> None:
    parts[1].unlink()
    with pytest.raises(ModelDamagedError, match=r"part2 cannot be read: .*; run: mend it"):
        join(cache / "joined", {"whole.bin": parts}, JOINED, MEND)
    assert left(cache / "joined") == []


def test_a_full_disk_leaves_nothing_and_says_what_to_do(cache: Path) -> None:
    with (
        pytest.raises(ModelMissingError, match="No space left on device; free some space"),
        whole_folder(cache / "joined") as temporary,
    ):
        (temporary / "model.bin").write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert left(cache / "joined") == []


def test_what_a_killed_program_left_half_made_is_removed_a_day_later(tmp_path: Path) -> None:
    left, going = tmp_path / ".model-dead0001", tmp_path / ".model-beef0002"
    for folder in (left, going):
        folder.mkdir()
        (folder / "model.bin").write_bytes(b"half")
    os.utime(left, (0, 0))
    with whole_folder(tmp_path / "model") as temporary:
        (temporary / "model.bin").write_bytes(b"whole")
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "cache") == [going.name, "model"]


def test_an_interrupt_leaves_nothing(cache: Path) -> None:
    with pytest.raises(KeyboardInterrupt), whole_folder(cache / "joined") as temporary:
        (temporary / "model.bin").write_bytes(b"half")
        raise KeyboardInterrupt
    assert left(cache / "joined") == []


def test_a_cache_that_cannot_be_made_is_refused(tmp_path: Path, parts: list[Path]) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ModelMissingError, match="cannot write the model to"):
        join(tmp_path / "file" / "joined", {"whole.bin": parts}, JOINED, MEND)


def test_of_eight_joins_at_once_one_folder_stands(cache: Path, parts: list[Path]) -> None:
    target = cache / "joined"
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: join(target, {"whole.bin": parts}, JOINED, MEND), range(8)))
    assert left(target) == [target]
    assert (target / "whole.bin").read_bytes() == b"onetwo"


def test_of_two_checks_at_once_both_pass(folder: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: verify(folder, HASHES, MEND), range(16)))
    alter(folder / "a.bin", b"FIRST", later_ns=0)
    verify(folder, HASHES, MEND)
