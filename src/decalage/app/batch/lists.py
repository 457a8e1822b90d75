"""Lists of files to caption: the house's manifest (JSON lines), CSV, or a path a line.

A row says ``path``, beside the list, and if it likes ``from``, ``to`` (``pt`` or ``pt,es``) and ``name``:
what its results are called. A manifest may say ``language`` for ``from``; what else it has is passed over.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from decalage.app.batch.entries import Entry, absolute
from decalage.app.evaluate.manifest import checked_text, json_rows, primary_or_none
from decalage.app.texts import read_utf8
from decalage.errors import InputError, brief


def read_list(path: Path) -> list[Entry]:
    """Every row of ``path`` that names a file. Raises ``InputError`` with the line."""
    text = read_utf8(path)
    kinds = {".jsonl": _manifest, ".csv": _table}
    rows = kinds.get(path.suffix.lower(), _plain)(path, text)
    entries = [_entry(path, place, row) for place, row in rows]
    if not entries:
        raise InputError(f"{path} names no file")
    return entries


def _manifest(path: Path, text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Its recordings; rows that are text alone, for an evaluation, are passed over."""
    for place, row in json_rows(path, text):
        alone = (row.get("transcript") or row.get("text")) and row.get("translation")
        if row.get("path") is not None or not alone:
            language = primary_or_none(_text(place, row, "language"))
            yield place, {**row, "from": _text(place, row, "from") or language}


def _table(path: Path, text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    table = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        if "path" not in (table.fieldnames or ()):
            raise InputError(
                f"{path.name}, line 1 has to name the columns, path among them; from, to, name if wanted"
            )
        for row in table:
            place = f"{path.name}, line {table.line_num}"
            if None in row or None in row.values():
                raise InputError(f"{place} has not as many columns as line 1")
            yield place, row
    except csv.Error as error:
        raise InputError(f"{path.name}, line {max(1, table.line_num)} is not CSV: {error}") from error


def _plain(path: Path, text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            yield f"{path.name}, line {number}", {"path": line.strip()}


def _entry(listed: Path, place: str, row: Mapping[str, Any]) -> Entry:
    given = _text(place, row, "path")
    if given is None:
        raise InputError(f"{place} has no path")
    path = absolute(listed.parent / given)
    targets = (each.strip() for each in (_text(place, row, "to") or "").split(","))
    return Entry(
        path=path,
        root=path.parent,
        place=place,
        source=_text(place, row, "from"),
        targets=tuple(each for each in targets if each),
        name=_name(place, _text(place, row, "name")),
    )


def _text(place: str, row: Mapping[str, Any], key: str) -> str | None:
    value = row.get(key)
    if key == "to" and isinstance(value, list) and all(isinstance(each, str) for each in value):
        value = ",".join(value)
    if isinstance(value, str) and "\0" in value:
        raise InputError(f"{place}: {key} holds a zero byte")
    return checked_text(place, key, value)


def _name(place: str, name: str | None) -> str | None:
    """A path inside the folder of the results, its parts joined with ``/``."""
    if name is None:
        return None
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if (
        not parts
        or name.endswith(("/", "\\"))
        or any(part in ("/", "..") or part.startswith(".") for part in parts)
    ):
        raise InputError(f"{place}: the name {brief(name)} is no name inside the folder of the results")
    return "/".join(parts)
