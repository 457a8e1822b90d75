"""Sound on the disk for a while: what goes in comes out, and nobody else can read it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decalage.store.spill import SoundSpill

BYTES_FULL = 4096


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 40)), max_size=60), st.integers(1, 64))
def test_what_goes_in_comes_out_in_order_whatever_wraps_around(
    steps: list[tuple[bool, int]], capacity: int
) -> None:
    kept: list[float] = []
    spill, written = SoundSpill(capacity), 0
    for puts, count in steps:
        if puts:
            samples = np.arange(written, written + count, dtype=np.float32)
            assert spill.append(samples) == (len(kept) + count <= capacity)
            if len(kept) + count <= capacity:
                kept += list(samples)
                written += count
        else:
            assert list(spill.take(count)) == kept[:count]
            kept = kept[count:]
        assert spill.waiting == len(kept)
    spill.close()


def test_skipped_sound_does_not_come_out() -> None:
    spill = SoundSpill(100)
    spill.append(np.arange(10, dtype=np.float32))
    spill.skip(4)
    assert list(spill.take(3)) == [4.0, 5.0, 6.0]
    spill.close()


@pytest.mark.skipif(os.name == "nt", reason="Windows deletes the file when it is closed")
def test_the_file_has_no_name(tmp_path: Path) -> None:
    spill = SoundSpill(100, tmp_path)
    spill.append(np.ones(10, np.float32))
    assert list(tmp_path.iterdir()) == []
    spill.close()


def test_it_lies_beside_the_models_and_its_folder_is_private(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DECALAGE_CACHE", str(tmp_path))
    spill = SoundSpill(100)
    assert spill.append(np.ones(10, np.float32))
    assert (tmp_path / "waiting").stat().st_mode & 0o077 == 0
    spill.close()


def test_a_disk_that_refuses_is_told_and_keeps_what_it_has(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    spill = SoundSpill(100, tmp_path / "file" / "folder")
    assert not spill.append(np.ones(10, np.float32))
    assert spill.refused == "Not a directory"
    assert spill.waiting == 0
    assert not spill.append(np.ones(1, np.float32))


@pytest.mark.skipif(os.name == "nt", reason="limits of this kind are POSIX")
def test_a_full_disk_refuses_the_rest_only(tmp_path: Path) -> None:
    import resource  # noqa: PLC0415 - POSIX
    import signal  # noqa: PLC0415

    spill = SoundSpill(10_000, tmp_path)
    limit, before = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (BYTES_FULL, limit[1]))
    try:
        first = np.arange(1000, dtype=np.float32)
        assert spill.append(first)
        assert not spill.append(first)
        assert list(spill.take(2000)) == list(first)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, before)
        spill.close()
