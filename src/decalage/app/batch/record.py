"""What is remembered of a result set: the last thing that is written of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import PurePath
from typing import Any, Literal, TypeAlias, get_args

from decalage.app.batch.naming import key

_FORM = 1
"""A record of another form is none."""

_SUFFIX = re.compile(r"[\w-]+(\.[\w-]+)?")

Quality: TypeAlias = Literal["done", "damaged", "incomplete"]
"""``damaged``: the file decodes no further, all that does is captioned. ``incomplete``: some speech failed,
which is to be tried again."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """A file as it was: while this is the same its content is taken to be."""

    size: int
    """Bytes."""
    changed_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A result set that is on the disk, whole."""

    name: str
    source: str
    """Absolute path of what was captioned."""
    sha256: str
    """Of its content."""
    stamp: Stamp
    fingerprint: str
    """Of the settings."""
    words: bool
    """Whether the events have the times of words."""
    show: str | None
    quality: Quality
    files: Mapping[str, str]
    """Suffix of each output → its path in the folder of the results."""
    audio_s: float
    captions: int
    failures: int
    rejected: int
    lost: int
    """Pieces of speech that failed, and translations that are missing."""
    gaps: int = 0
    """Places where sound is missing in the file."""
    error: str | None
    began: float
    """Seconds since 1970, as ``ended``."""
    ended: float
    taken_from: str | None = None
    """Name of the set that this one was made from; None: it was captioned."""
    settings: Mapping[str, Any]
    """For a person who wonders."""
    program: str

    @property
    def rank(self) -> tuple[float, int]:
        """The lower the better: of more of the sound, with less that failed."""
        return -self.audio_s, self.lost

    def as_text(self) -> str:
        """One JSON object; names that are no Unicode survive it."""
        return json.dumps({"form": _FORM, **asdict(self)}, indent=1) + "\n"


def read_record(text: str) -> Record | None:
    """What ``as_text`` gave; None for anything else."""
    try:
        body = json.loads(text)
        if not isinstance(body, dict) or body.pop("form", None) != _FORM:
            return None
        known = {field.name for field in fields(Record)}
        older = {"lost": body["failures"]}  # before there was this field
        given = older | {name: value for name, value in body.items() if name in known}
        record = Record(**{**given, "stamp": Stamp(**body["stamp"])})
        record.as_text()  # what is nested too deep to be written again is none either
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return None
    return record if _sane(record) else None


def _sane(record: Record) -> bool:
    """Whether all that is made use of is what it should be: the folder may be somebody else's."""
    texts = (record.name, record.source, record.sha256, record.fingerprint)
    perhaps = (record.show, record.error, record.taken_from)
    pieces = (record.captions, record.failures, record.rejected, record.lost, record.gaps)
    counts = (*pieces, *astuple(record.stamp))
    times = (record.audio_s, record.began, record.ended)
    return (
        all(isinstance(each, str) for each in texts)
        and all(each is None or isinstance(each, str) for each in perhaps)
        and all(isinstance(each, int) for each in counts)
        and all(isinstance(each, int | float) for each in times)
        and record.quality in get_args(Quality)
        and _inside(record.name)
        and isinstance(record.files, dict)
        and all(
            _SUFFIX.fullmatch(suffix) and path == f"{record.name}.{suffix}"
            for suffix, path in record.files.items()
        )
    )


def _inside(path: str) -> bool:
    """Whether ``path`` leads to a place inside the folder that it is joined to."""
    parts = PurePath(path).parts
    return bool(parts) and not PurePath(path).is_absolute() and ".." not in parts and "\0" not in path


class Records:
    """All records of a folder, found by what is asked about them."""

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self._by_name: dict[str, Record] = {}
        self._alike: dict[tuple[str, str], dict[str, Record]] = {}
        self.since: Mapping[str, float] = {}
        """Name of a set that is to be captioned again → what was captioned before is not good enough."""
        for record in records:
            self.add(record)

    def __len__(self) -> int:
        return len(self._by_name)

    def __iter__(self) -> Iterator[Record]:
        return iter(list(self._by_name.values()))

    def __repr__(self) -> str:
        return f"<Records {len(self)}>"

    def add(self, record: Record) -> None:
        """``record`` is what holds of its name now."""
        self.remove(record.name)
        self._by_name[record.name] = record
        self._alike.setdefault((record.sha256, record.fingerprint), {})[record.name] = record

    def remove(self, name: str) -> None:
        """Nothing is known of ``name`` any more."""
        before = self._by_name.pop(name, None)
        if before is not None:
            del self._alike[before.sha256, before.fingerprint][name]

    def named(self, name: str) -> Record | None:
        """That of the result set ``name``."""
        return self._by_name.get(name)

    def alike(self, sha256: str, fingerprint: str) -> list[Record]:
        """Of the same content by the same settings."""
        return list(self._alike.get((sha256, fingerprint), {}).values())

    def is_fresh(self, record: Record, name: str) -> bool:
        """Whether what ``record`` is of was captioned late enough for the set ``name``."""
        return record.began >= self.since.get(name, 0.0)

    def better_than(self, new: Record) -> Record | None:
        """The set in the place of ``new``, of the same content by the same settings, that lost less."""
        before = self.named(new.name)
        if new.quality != "incomplete" or before is None:
            return None
        if (before.sha256, before.fingerprint) != (new.sha256, new.fingerprint):
            return None
        return before if before.rank < new.rank else None

    def of_source(self) -> dict[str, list[Record]]:
        """Path of a file → the records of it."""
        found: dict[str, list[Record]] = {}
        for record in self:
            found.setdefault(record.source, []).append(record)
        return found

    def holders(self) -> dict[str, Record]:
        """``naming.key`` of each file of a result set → its record."""
        return {key(path): record for record in self for path in record.files.values()}
