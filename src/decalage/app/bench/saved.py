"""Cells on disk: each saved whole as it ends, found again only by exactly what it measured."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path

from decalage.app.bench.cell import Measured
from decalage.app.bench.machine import cpu_name, versions
from decalage.app.bench.plan import Cell
from decalage.app.settings import available_cores
from decalage.errors import OutputError
from decalage.sinks.output import write_whole
from decalage.store.files import cache_folder

_MEASURED = (
    "config.py",
    "flow",
    "runtimes",
    "sources",
    "stages",
    "app/bench/cell.py",
    "app/compose.py",
    "app/settings.py",
    "app/tally.py",
)
"""The code that a result depends on: a change there makes the saved cells those of another program."""


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
    depends = [asked, cell.audio.sha256, cell.repeat, *program]
    return hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()[:32]


@cache
def code(also: tuple[str, ...] = ()) -> str:
    """A hash of the modules that are measured, and of the files ``also``."""
    root = Path(__file__).parents[2]
    digest = hashlib.sha256()
    for place in (*_MEASURED, *also):
        found = root / place
        for path in [found] if found.is_file() else sorted(found.rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()
