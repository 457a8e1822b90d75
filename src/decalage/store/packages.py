"""Models that installed packages carry: found without importing a line of theirs."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from decalage.store.catalogue import Model, Part


def locate(part: Part) -> Path | None:
    """Where the file of an installed package is, or None."""
    try:
        spec = importlib.util.find_spec(part.package)
    except (ImportError, ValueError):
        return None
    if spec is None or not spec.submodule_search_locations:
        return None
    path = Path(next(iter(spec.submodule_search_locations))) / part.path
    return path if path.is_file() else None


def locate_all(model: Model) -> dict[str, list[Path]] | None:
    """For each file of ``model`` the parts on disk, or None unless every part is installed."""
    found: dict[str, list[Path]] = {}
    for name, parts in model.files.items():
        paths = [locate(part) for part in parts]
        if any(path is None for path in paths):
            return None
        found[name] = [path for path in paths if path is not None]
    return found or None
