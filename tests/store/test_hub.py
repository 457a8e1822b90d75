"""Models that have to be fetched: from a server like the hub, or refused in one line."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.store.hub import FILES, hub


def models(
    cache: Path, *arguments: str, program: Sequence[str] = ("-m", "decalage"), **environment: str
) -> subprocess.CompletedProcess[str]:
    """``decalage models`` with an empty cache, in a process of its own: the hub's library reads its
    variables when it is imported.
    """
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("HF_", "DECALAGE_"))
    }
    return subprocess.run(
        [sys.executable, *program, "models", *arguments],
        env={**inherited, "DECALAGE_CACHE": str(cache), "HF_HOME": str(cache / "hf"), **environment},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.fixture
def closed_port() -> str:
    """An address where nobody answers."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{held.getsockname()[1]}"


def test_a_model_comes_whole_from_a_server_with_the_hubs_layout(tmp_path: Path) -> None:
    with hub() as address:
        added = models(tmp_path, "add", "small", HF_ENDPOINT=address)
    assert (added.returncode, added.stderr) == (0, "")
    folder = Path(added.stdout.strip())
    assert folder == tmp_path / "models" / "small"
    found = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert json.loads(found.pop("published.json")).keys() == found.keys()
    assert found == {name: data for name, data in FILES.items() if name != "README.md"}


def test_a_fetched_model_is_used_again_without_the_network(tmp_path: Path, closed_port: str) -> None:
    with hub() as address:
        first = models(tmp_path, "add", "small", HF_ENDPOINT=address)
    again = models(tmp_path, "add", "small", HF_ENDPOINT=closed_port)
    assert (again.returncode, again.stdout) == (0, first.stdout)
    offline = models(tmp_path, "path", "small", HF_ENDPOINT=closed_port)
    assert (offline.returncode, offline.stdout) == (0, first.stdout)


def test_a_file_damaged_since_it_came_is_refused_and_fetched_again(tmp_path: Path) -> None:
    with hub() as address:
        folder = Path(models(tmp_path, "add", "small", HF_ENDPOINT=address).stdout.strip())
        (folder / "model.bin").write_bytes(b"w" * 999 + b"v")
        process = models(tmp_path, "path", "small", HF_ENDPOINT=address)
        assert (process.returncode, process.stdout) == (3, "")
        (line,) = process.stderr.splitlines()
        assert str(folder / "model.bin") in line
        assert line.endswith("run: decalage models add small --again")
        mended = models(tmp_path, "add", "small", "--again", HF_ENDPOINT=address)
    assert (mended.returncode, mended.stderr) == (0, "")
    assert (folder / "model.bin").read_bytes() == FILES["model.bin"]


LIMITED = """
import resource, runpy
resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))  # less than a file of the model
runpy.run_module("decalage", run_name="__main__")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows bounds no size of files")
def test_a_disk_without_room_is_told_as_one_and_leaves_nothing(tmp_path: Path) -> None:
    with hub() as address:
        process = models(tmp_path, "add", "small", program=("-c", LIMITED), HF_ENDPOINT=address)
    line = refused(process, tmp_path)
    assert f"cannot write the model to {tmp_path / 'models' / 'small'}" in line
    assert "free some space or set DECALAGE_CACHE" in line


def refused(process: subprocess.CompletedProcess[str], cache: Path) -> str:
    """The one line of a refusal for want of a model, which leaves no folder behind."""
    assert process.returncode == 3, process.stderr
    assert process.stdout == ""
    [line] = process.stderr.splitlines()
    kept = cache / "models"
    assert not kept.exists() or list(kept.iterdir()) == []
    return line


def test_an_unreachable_server_is_refused_in_one_line(tmp_path: Path, closed_port: str) -> None:
    line = refused(models(tmp_path, "add", "small", HF_ENDPOINT=closed_port), tmp_path)
    assert "cannot download Systran/faster-whisper-small" in line
    assert "check the network" in line


def test_a_server_without_the_model_is_refused_in_one_line(tmp_path: Path) -> None:
    with hub() as address:
        process = models(tmp_path, "add", "small", HF_ENDPOINT=f"{address}/elsewhere")
    assert "cannot download Systran/faster-whisper-small" in refused(process, tmp_path)


@pytest.mark.parametrize("variable", ["DECALAGE_OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_nothing_is_asked_and_the_command_that_adds_the_model_is_named(
    tmp_path: Path, closed_port: str, variable: str
) -> None:
    process = models(tmp_path, "add", "small", HF_ENDPOINT=closed_port, **{variable: "1"})
    line = refused(process, tmp_path)
    assert "offline is set" in line
    assert "decalage models add small" in line


def test_a_name_nobody_knows_is_bad_usage(tmp_path: Path) -> None:
    process = models(tmp_path, "add", "enormous")
    assert process.returncode == 2
    assert "no model 'enormous'" in process.stderr
    assert "tiny.en" in process.stderr
