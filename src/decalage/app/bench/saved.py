"""Cells on disk: each saved whole as it ends, found again only by exactly what it measured."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path

from decalage.app.bench.cell import Measured
from decalage.app.bench.machine import cpu_name, versions
from decalage.app.bench.plan import Cell
from decalage.app.settings import Settings, available_cores
from decalage.errors import DecalageError, OutputError
from decalage.sinks.output import write_whole
from decalage.store.files import cache_folder, sha256
from decalage.store.models import find_recognizer, find_translator

_SURFACES = (
    "testing",
    "app/commands",
    "app/evaluate",
    "app/cli.py",
    "app/bench/measure.py",
    "app/bench/paper.py",
    "app/bench/plot.py",
    "app/bench/quality.py",
    "app/bench/report.py",
    "app/bench/saved.py",
    "app/bench/tables.py",
    "app/bench/timeline.py",
)
"""Code that no result depends on: a change anywhere else makes saved cells those of another program."""


def default_folder() -> Path:
    """Where cells are kept when no folder is named."""
    return cache_folder().parent / "bench"


class SavedCells:
    """A folder of results, one file a cell. Damaged files count as absent.

    ``also`` names more code that these results depend on.
    """

    def __init__(self, folder: Path, also: tuple[str, ...] = ()) -> None:
        self._folder = folder
        self._also = also
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot make the folder {folder}: {error.strerror}; name another") from error

    def __repr__(self) -> str:
        return f"<SavedCells {self._folder}>"

    def read(self, cell: Cell) -> Measured | None:
        """The result of ``cell``, if it was measured before by this very program on this machine."""
        try:
            result = json.loads(self._path(cell).read_text("utf-8"))
        except (OSError, ValueError):
            return None
        return result if isinstance(result, dict) and result.get("error", "") is None else None

    def write(self, cell: Cell, result: Measured) -> None:
        """Keep ``result``, whole or not at all. Raises ``OutputError``."""
        write_whole(str(self._path(cell)), json.dumps(result, ensure_ascii=False) + "\n")

    def _path(self, cell: Cell) -> Path:
        return self._folder / f"{key(cell, self._also)}.json"


def key(cell: Cell, also: tuple[str, ...] = ()) -> str:
    """Names what was asked, sound, repeat, program and machine of ``cell``; not where the sound lies."""
    asked = {name: value for name, value in cell.request().items() if name != "audio"}
    program = [code(also), versions(), cpu_name(), available_cores()]
    depends = [asked, models(cell.settings), cell.audio.sha256, cell.repeat, *program]
    return hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()[:32]


@cache
def code(also: tuple[str, ...] = ()) -> str:
    """A hash of the modules that are measured, and of the files ``also``."""
    root = Path(__file__).parents[2]
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root).as_posix()
        if name.startswith(_SURFACES) and not name.startswith(also):
            continue
        digest.update(name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def models(settings: Settings) -> list[str]:
    """The hashes of what ``settings`` load; of what is not here, the reason."""
    try:
        options = settings.stream_options()
        pairs = [(options.source, target) for target in options.targets if target != options.source]
        folders = [find_recognizer(settings.model, offline=True)]
        folders += [find_translator(*pair) for pair in pairs]
        return [_hash(path) for folder in folders for path in sorted(folder.glob("*.bin"))]
    except DecalageError as error:
        return [str(error)]


@cache
def _hash(path: Path) -> str:
    return sha256(path)
