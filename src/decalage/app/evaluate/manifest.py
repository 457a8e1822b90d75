"""What there is to evaluate: the rows of a manifest (JSON lines), or of a table of sentences (TSV).

A manifest row says ``path`` (beside the manifest), and what it knows of ``id``, ``language``,
``transcript``, ``translation``, ``translation_language``, ``kind``, ``expect``,
``transcript_quality``, ``seconds`` and ``segments`` (``start``, ``end``, ``text``). A row without
``path`` is text alone. In a table the first line names the columns: ``id``, the languages
(``en``, ``pt_br`` …) and others, which are passed over.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from decalage.app.texts import read_utf8
from decalage.errors import InputError, UsageError, brief
from decalage.languages import primary

_LONGEST_S = 1e9
"""Of a time in a recording."""
SILENT = "no speech"
"""The set of recordings in which nothing may be captioned."""


@dataclass(frozen=True, slots=True)
class Span:
    """Speech within a recording, seconds from its start."""

    start: float
    end: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One recording, or one text, with its references."""

    id: str
    place: str
    """Where it is told: manifest and line."""
    path: str | None = None
    """As the manifest has it; None: text alone."""
    spoken_in: str | None = None
    """Of a recording that is taken as text: its path."""
    language: str | None = None
    """Of the speech, a primary language; None: there is none, or several."""
    kind: str = ""
    expect: str = "transcript"
    """``transcript``, ``empty`` (no caption may appear), or what this program does not evaluate."""
    gold: bool = True
    """Whether the references are certain."""
    transcript: str | None = None
    translation: str | None = None
    translation_language: str | None = None
    """As written, ``pt-BR``."""
    seconds: float | None = None
    speech: tuple[Span, ...] = ()
    """Where speech is, if the manifest tells."""

    @property
    def set_name(self) -> str:
        """Recordings are told together by language and by the beginning of their kind."""
        if self.path is None:
            return f"text {self.language}→{self.translation_language}"
        if self.expect == "empty":
            return SILENT
        head = self.kind
        for mark in ",;:(":
            head = head.partition(mark)[0]
        return f"{self.language} {head.strip()}".strip()

    @property
    def held_out(self) -> bool:
        """Whether it belongs to the third that nothing was tuned on."""
        return held_out(self.path or self.spoken_in or self.id)

    def reference(self, targets: tuple[str, ...]) -> str | None:
        """Which of ``targets``, primary languages, the translation is in."""
        if not self.translation or not self.translation_language:
            return None
        language = primary_or_none(self.translation_language)
        return language if language in targets else None


def held_out(name: str) -> bool:
    """Whether ``name``, a path (of a text, an id) as the manifest writes it, is of the held-out third.

    The rule, the same for ever: the first 8 hexadecimal digits of its SHA-256, as a number, are
    divisible by 3.
    """
    return int(sha256(name.encode()).hexdigest()[:8], 16) % 3 == 0


def read_manifest(path: Path, source: str) -> list[Recording]:
    """Every row of ``path``, a table if its name ends in .tsv. Raises ``InputError`` with the line.

    ``source`` is the language translated from: a table does not tell.
    """
    text = read_utf8(path)
    rows = list(_table(path, text, source) if path.suffix == ".tsv" else _lines(path, text))
    if not rows:
        raise InputError(f"{path} has no rows; a manifest holds one JSON object a line")
    seen: dict[tuple[str, str | None], str] = {}
    for row in rows:
        before = seen.setdefault((row.id, row.translation_language), row.place)
        if before != row.place:
            raise InputError(f"{row.place}: the id {row.id!r} stands in {before} too")
    return rows


def _lines(path: Path, text: str) -> Iterator[Recording]:
    for place, row in json_rows(path, text):
        yield _Row(row, place).recording()


def json_rows(path: Path, text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each object of ``text``, JSON lines, with its place. Raises ``InputError``."""
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        place = f"{path.name}, line {number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{place} is not JSON: {error}") from error
        if not isinstance(row, dict):
            raise InputError(f"{place} is not a JSON object")
        yield place, row


@dataclass(frozen=True, slots=True)
class _Row:
    """One object of a manifest, its values asked for by type."""

    row: Mapping[str, Any]
    place: str

    def recording(self) -> Recording:
        """Raises ``InputError``."""
        path, transcript = self.text("path"), self.text("transcript") or self.text("text")
        name = self.text("id") or path
        if path is None and not (transcript and self.text("translation")):
            raise InputError(f"{self.place} has no path, and not both a transcript and its translation")
        return Recording(
            id=name or f"{self.place}",
            place=self.place,
            path=path,
            language=primary_or_none(self.text("language")),
            kind=self.text("kind") or "",
            expect=self.text("expect") or "transcript",
            gold=self.text("transcript_quality") in (None, "gold"),
            transcript=transcript,
            translation=self.text("translation"),
            translation_language=self.text("translation_language"),
            seconds=self.number(self.row, "seconds"),
            speech=self.speech(),
        )

    def text(self, name: str) -> str | None:
        return checked_text(self.place, name, self.row.get(name))

    def number(self, among: Mapping[str, Any], name: str) -> float | None:
        value = among.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _LONGEST_S:
            raise InputError(f"{self.place}: {name} is {brief(value)}, not a number of seconds")
        return float(value)

    def speech(self) -> tuple[Span, ...]:
        segments = self.row.get("segments") or []
        if not isinstance(segments, list) or not all(isinstance(segment, dict) for segment in segments):
            raise InputError(f"{self.place}: segments is not a list of objects")
        spans = []
        for segment in segments:
            start, end = self.number(segment, "start"), self.number(segment, "end")
            if start is None or end is None or end < start:
                raise InputError(f"{self.place}: a segment needs start and end in seconds")
            spans.append(Span(start, end))
        return tuple(spans)


def _table(path: Path, text: str, source: str) -> Iterator[Recording]:
    """Each line once for each column that is a translation; an empty cell is none."""
    lines = text.splitlines()
    head = lines[0].split("\t") if lines else []
    spoken = next((name for name in head if primary_or_none(name) == source), None)
    written = [name for name in head if name not in (spoken, "id", "doc") and primary_or_none(name)]
    if spoken is None or not written:
        raise InputError(
            f"{path.name}, line 1 names the columns {', '.join(head) or 'not at all'}; "
            f"there must be one in {source} and one in another language"
        )
    twice = next((tag for tag, count in Counter(map(_tag, written)).items() if count > 1), None)
    if twice is not None:
        raise InputError(f"{path.name}, line 1 names two columns in {twice}; leave one of them out")
    for number, line in enumerate(lines[1:], 2):
        if not line.strip():
            continue
        place, cells = f"{path.name}, line {number}", line.split("\t")
        if len(cells) != len(head):
            raise InputError(f"{place} has {len(cells)} columns, the first line {len(head)}")
        row = dict(zip(head, cells, strict=True))
        for name in written:
            if not row[spoken].strip() or not row[name].strip():
                continue
            yield Recording(
                id=row.get("id") or str(number),
                place=place,
                language=source,
                kind="text",
                transcript=row[spoken].strip(),
                translation=row[name].strip(),
                translation_language=_tag(name),
            )


def _tag(name: str) -> str:
    """A language tag as it is usually written: ``pt_br`` → ``pt-BR``."""
    head, _, rest = name.replace("_", "-").partition("-")
    return f"{head.lower()}-{rest.upper()}" if rest else head.lower()


def checked_text(place: str, name: str, value: object) -> str | None:
    """What a row says of ``name``, None where that is nothing. Raises ``InputError`` for what is no text."""
    if value is not None and not isinstance(value, str):
        raise InputError(f"{place}: {name} is {brief(value)}, not text")
    if value and not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
        raise InputError(f"{place}: {name} has half a letter in it, a surrogate without the other")
    return value.strip() or None if value else None


def primary_or_none(code: str | None) -> str | None:
    """The primary language; None for what is no language code (``mixed``, ``speaker``)."""
    try:
        return primary(code) if code else None
    except UsageError:
        return None
