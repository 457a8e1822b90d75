"""What is written of sound and words is for its owner alone, whatever the umask, and gone afterwards.

Journals and the history have tests of their own: ``tests/store/test_journal.py``, ``test_history.py``.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client
from pathlib import Path

import numpy as np
import pytest

from decalage.app.server.uploads import spooling
from decalage.runtimes.sound_block import SoundBlock
from decalage.store.files import cache_folder, sha256, verify, whole_folder
from decalage.store.spill import SoundSpill
from decalage.testing.elsewhere import ServedBlueprint
from decalage.testing.engines import FakeBlueprint

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes")
needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="it is looked up in /proc or /dev/shm")


@pytest.fixture(autouse=True)
def no_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_an_upload_is_private_from_its_first_byte_and_gone_however_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folders = set()
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt), spooling() as spool:
            spool.open(".wav")
            spool.add(b"sound")
            folders.add(spool.path.parent)
            assert (mode(spool.path.parent), mode(spool.path)) == (0o700, 0o600)
            raise KeyboardInterrupt
    assert len(folders) == 2
    assert not list(tmp_path.iterdir())


def test_a_file_that_waits_where_an_upload_goes_is_not_written(tmp_path: Path) -> None:
    with spooling() as spool:
        target = tmp_path / "target"
        target.write_bytes(b"mine")
        (spool.path.with_suffix(".wav")).symlink_to(target)
        with pytest.raises(FileExistsError):
            spool.open(".wav")
        assert target.read_bytes() == b"mine"


def open_in(folder: Path) -> list[Path]:
    """The open files of this process that are, or were, in ``folder``."""
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # what lists the folder is gone by now
            if descriptor.readlink().is_relative_to(folder):
                found.append(descriptor)
    return found


@needs_linux
def test_sound_that_waits_on_the_disk_has_no_name_and_is_private(tmp_path: Path) -> None:
    spill = SoundSpill(1000, tmp_path)
    try:
        assert spill.append(np.ones(100, np.float32))
        assert [mode(file) for file in open_in(tmp_path)] == [0o600]
        assert not list(tmp_path.iterdir())
    finally:
        spill.close()
    assert not open_in(tmp_path)


def test_a_model_is_read_by_all_and_changed_by_its_owner_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DECALAGE_CACHE", str(tmp_path / "above" / "cache"))
    model = cache_folder() / "model"
    with whole_folder(model) as temporary:
        (temporary / "inside").mkdir()
        for path in (temporary / "a.bin", temporary / "inside" / "b.bin"):
            path.write_bytes(b"weights")
    verify(model, {"a.bin": sha256(model / "a.bin")}, "")
    folders = [tmp_path / "above", cache_folder().parent, cache_folder(), model, model / "inside"]
    assert {mode(folder) for folder in folders} == {0o755}
    assert {mode(path) for path in (model / "a.bin", model / "inside" / "b.bin")} == {0o644}
    assert mode(cache_folder() / "verified.json") == 0o600


def test_the_fakes_of_a_test_answer_nobody_who_does_not_have_their_key() -> None:
    served = ServedBlueprint(FakeBlueprint())
    _, (address, key) = served.__reduce__()
    try:
        with pytest.raises((AuthenticationError, EOFError, OSError)):
            Client(address, authkey=b"guessed")
        Client(address, authkey=key).close()
    finally:
        served.close()


@needs_linux
def test_sound_between_processes_is_private_and_gone_when_it_is_closed() -> None:
    block = SoundBlock(100)
    place = Path("/dev/shm") / block.name.lstrip("/")  # noqa: S108 - where the system keeps it
    assert mode(place) == 0o600
    block.close()
    assert not place.exists()
