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


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc is Linux")
def test_freed_memory_below_memory_in_use_goes_back_to_the_system() -> None:
    asked = """
import psutil
from decalage.app.allocator import give_back
held = [bytearray(60_000) for _ in range(2_000)]  # 120 MB in pieces that malloc keeps
top = bytearray(60_000)
del held
before = psutil.Process().memory_info().rss
give_back()
raise SystemExit(before - psutil.Process().memory_info().rss < 80_000_000)
"""
    assert subprocess.run([sys.executable, "-c", asked], check=False).returncode == 0
