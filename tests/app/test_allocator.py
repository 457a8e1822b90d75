"""The allocator's setting is taken where there is one."""

from __future__ import annotations

import subprocess
import sys

import pytest

from decalage.app import allocator


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc is Linux")
def test_glibc_takes_the_number_of_arenas() -> None:
    asked = "from decalage.app.allocator import share_arenas; raise SystemExit(not share_arenas())"
    assert subprocess.run([sys.executable, "-c", asked], check=False).returncode == 0


def test_elsewhere_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not allocator.share_arenas()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc is Linux")
def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_name: str) -> None:
        raise OSError("no such library")

    monkeypatch.setattr("ctypes.CDLL", missing)
    assert not allocator.share_arenas()
