"""The history on a terminal and for a program."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime

import click
from rich.cells import cell_len, set_cell_size

from decalage.errors import OutputError
from decalage.sinks.captions import clean, clock
from decalage.sinks.output import TextOutput
from decalage.store.history_values import Found, Hit, Listed

_HEADINGS = ("name", "began", "length", "languages", "captions", "first words")
_PIPED = 100
"""Columns of the first words where they go to no terminal."""
_LEAST = 10
"""Columns that the first words have in any case."""
_INDENT = "  "


def write(lines: Iterable[str]) -> None:
    """``lines`` to standard output, styled where a person sees them. Raises as ``TextOutput``."""
    if sys.stdout is None:
        raise OutputError("standard output is closed")
    output, styled = TextOutput(sys.stdout, "standard output"), sys.stdout.isatty()
    for line in lines:
        output.line(line if styled else click.unstyle(line))
    output.close()


def session_lines(found: Sequence[Listed], width: int | None) -> Iterator[str]:
    """A line for each session, with its headings; ``width`` columns, None: no terminal."""
    names = short_names([each.name for each in found])
    rows = [_HEADINGS, *(_row(each, name) for each, name in zip(found, names, strict=True))]
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        cells = [set_cell_size(cell, wide) for cell, wide in zip(row, widths, strict=True)][:-1]
        cells[2] = row[2].rjust(widths[2])
        cells[4] = row[4].rjust(widths[4])
        before = "  ".join(cells)
        left = _PIPED if width is None else max(_LEAST, width - cell_len(before) - 2)
        line = f"{before}  {cut(row[-1], left)}".rstrip()
        yield line if number else click.style(line, dim=True)


def _row(session: Listed, name: str) -> tuple[str, ...]:
    languages = ", ".join(session.source)
    if session.targets:
        languages += f" → {', '.join(session.targets)}"
    began, length = local(session.began), clock(session.duration_s)
    return name, began, length, clean(languages), str(session.captions), clean(session.first_words)


def short_names(names: Sequence[str]) -> list[str]:
    """For each what is enough to name it: without its last part where no other begins so."""
    heads = [name.partition("-")[0] for name in names]
    return [name if heads.count(head) > 1 else head for name, head in zip(names, heads, strict=True)]


def local(began: str) -> str:
    """When that was, here."""
    try:
        return f"{datetime.fromisoformat(began).astimezone():%Y-%m-%d %H:%M}"
    except (ValueError, OverflowError, OSError):
        return clean(began)


def cut(text: str, width: int) -> str:
    """``text``, with an ellipsis where it takes more than ``width`` columns."""
    if cell_len(text) <= width:
        return text
    return f"{set_cell_size(text, width - 1).rstrip()}…"


def hit_lines(found: Found) -> Iterator[str]:
    """Each utterance below its session, with what was found set off on a terminal."""
    session = None
    for hit in found.hits:
        if hit.session != session:
            if session is not None:
                yield ""
            session = hit.session
            yield click.style(f"{hit.session}  {local(hit.began)}", dim=True)
        yield from _hit(hit)


def _hit(hit: Hit) -> Iterator[str]:
    time = clock(hit.start)
    for number, (language, text) in enumerate(hit.text.items()):
        named = f"{clean(language)}: " if len(hit.text) > 2 else ""
        before = " " * len(time) if number else click.style(time, dim=True)
        yield f"{_INDENT}{before}  {named}{_marked(text, hit.matched.get(language, ()))}"


def _marked(text: str, spans: Iterable[tuple[int, int]]) -> str:
    parts, place = [], 0
    for first, past in spans:
        parts.append(_shown(text[place:first]))
        parts.append(click.style(_shown(text[first:past]), fg="yellow", bold=True))
        place = past
    return "".join((*parts, _shown(text[place:])))


def _shown(part: str) -> str:
    """A part of a text without control characters; where it began or ended with a space it still does."""
    inner = clean(part)
    if not inner:
        return " " if part else ""
    return f"{' ' if part[0].isspace() else ''}{inner}{' ' if part[-1].isspace() else ''}"


def sessions_as_json(found: Sequence[Listed], written: Sequence[str]) -> str:
    """One object."""
    return _json({"sessions": [asdict(each) for each in found], "being_written": written})


def hits_as_json(found: Found) -> str:
    """One object."""
    return _json({"total": found.total, "hits": [asdict(each) for each in found.hits]})


def _json(body: Mapping[str, object]) -> str:
    return json.dumps(body, ensure_ascii=False)
