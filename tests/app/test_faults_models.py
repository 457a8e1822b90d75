"""Damaged models: refused in one line that names the file and what mends it, before any output is touched."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from decalage.store.files import publish
from decalage.store.models import find_recognizer, find_translator
from tests.app.test_cli import ASK_NOT, refused

pytestmark = pytest.mark.real

Damage = Callable[[Path], object]


def cut_short(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def emptied(path: Path) -> None:
    os.truncate(path, 0)


def not_json(path: Path) -> None:
    path.write_text('{"a": ', "utf-8")


@pytest.fixture
def captions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that a run must not touch unless it begins."""
    monkeypatch.setenv("DECALAGE_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "captions.txt"
    path.write_text("kept\n", "utf-8")
    return path


def damaged_copy(model: Path, folder: Path, name: str, damage: Damage) -> Path:
    """A model in ``folder`` of which one file is damaged; the others are links."""
    folder.mkdir(parents=True)
    for path in model.iterdir():
        if path.is_file() and path.name != name:
            (folder / path.name).symlink_to(path)
    shutil.copyfile(model / name, folder / name)
    damage(folder / name)
    return folder


@pytest.mark.parametrize("engine", ["onnxruntime", "ctranslate2"])
@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("model.bin", cut_short),
        ("model.bin", emptied),
        ("config.json", not_json),
        ("tokenizer.json", not_json),
        ("tokenizer.json", Path.unlink),
        ("vocabulary.txt", cut_short),
    ],
)
def test_a_damaged_folder_of_ones_own_is_refused_with_what_is_wrong(
    capsys: pytest.CaptureFixture[str],
    captions: Path,
    tmp_path: Path,
    engine: str,
    name: str,
    damage: Damage,
) -> None:
    folder = damaged_copy(find_recognizer("tiny.en"), tmp_path / "model", name, damage)
    model = ("--model", str(folder), "--engine", engine, "--offline")
    code, line = refused(capsys, "translate", ASK_NOT, *model, "-o", str(captions))
    assert code == 3
    assert str(folder) in line
    assert "copy" in line or "missing" in line
    assert captions.read_text("utf-8") == "kept\n"


@pytest.mark.parametrize("damage", [cut_short, Path.unlink])
def test_a_damaged_model_of_the_cache_is_refused_with_the_command_that_mends_it(
    capsys: pytest.CaptureFixture[str], captions: Path, tmp_path: Path, damage: Damage
) -> None:
    folder = tmp_path / "cache" / "models" / "small.en"
    shutil.copytree(find_recognizer("tiny.en"), folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    publish(folder)
    damage(folder / "model.bin")
    small = ("--model", "small.en", "--offline")
    code, line = refused(capsys, "translate", ASK_NOT, *small, "-o", str(captions))
    assert code == 3
    assert str(folder / "model.bin") in line
    assert line.endswith("run: decalage models add small.en --again")
    assert captions.read_text("utf-8") == "kept\n"


@pytest.mark.parametrize("damage", [cut_short, Path.unlink])
def test_a_damaged_translator_is_refused_with_the_command_that_mends_it(
    capsys: pytest.CaptureFixture[str], captions: Path, tmp_path: Path, damage: Damage
) -> None:
    folder = tmp_path / "cache" / "models" / "firefox-en-pt"
    shutil.copytree(find_translator("en", "pt"), folder)
    publish(folder)
    damage(next(folder.glob("model.*")))
    small = ("--model", "tiny.en", "--offline")
    code, line = refused(capsys, "translate", ASK_NOT, *small, "-o", str(captions))
    assert code == 3
    assert str(folder) in line
    assert line.endswith("run: decalage models add firefox:en-pt --again")
    assert captions.read_text("utf-8") == "kept\n"


@pytest.mark.parametrize("runtime", ["pipeline", "processes"])
def test_damaged_voice_activity_is_refused_with_the_command_that_mends_it(
    captions: Path, tmp_path: Path, runtime: str
) -> None:
    spec = find_spec("faster_whisper")
    assert spec is not None
    assert spec.origin is not None
    package = tmp_path / "site" / "faster_whisper"
    shutil.copytree(Path(spec.origin).parent, package)
    (file,) = package.glob("assets/*.onnx")
    cut_short(file)
    options = ("--model", "tiny.en", "--offline", "--runtime", runtime, "-o", str(captions))
    done = subprocess.run(
        [sys.executable, "-m", "decalage", "translate", ASK_NOT, *options],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(package.parent), *sys.path])},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    (line,) = done.stderr.splitlines()
    assert str(file) in line
    assert "python -m pip install --force-reinstall --no-deps 'faster-whisper" in line
    assert captions.read_text("utf-8") == "kept\n"
