"""What ``decalage batch`` reads: lists of files, and records in a folder that may be somebody else's."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from decalage.app.batch.lists import read_list
from decalage.app.batch.record import Record, Records, Stamp, read_record
from decalage.errors import InputError
from scripts.fuzz.choices import Choices, hold, written
from scripts.fuzz.target import Target

_LISTS = ("list.csv", "list.txt", "list.jsonl")
_ROWS: tuple[dict[str, Any], ...] = (
    {"path": "talks/a.mp4", "from": "en", "to": "pt,es", "name": "2026/opening"},
    {"path": "b.wav", "language": "pt", "to": ["en"], "name": "b"},
)
_COLUMNS = ("path", "from", "to", "name", "language", "../x", "/etc/x", "a\\..\\b", ".hidden", "C:x")


def batch_list(data: bytes) -> None:
    """A list of files: entries whose results have names inside their folder, or one line of what is wrong."""
    choices = Choices(data)
    name = choices.pick(_LISTS)
    text = choices.rest()
    if name == "list.jsonl" and choices.below(2):
        text = "\n".join(written(choices.changed(_ROWS, _COLUMNS)) for _ in range(choices.below(3))).encode()
    with TemporaryDirectory(prefix="fuzz-") as folder:
        path = Path(folder) / name
        path.write_bytes(text)
        try:
            found = read_list(path)
        except InputError as error:
            hold("\n" not in str(error), error)
            return
    hold(0 < len(found) <= len(data) + 3, found)
    for entry in found:
        hold(entry.path.is_absolute() and "\0" not in str(entry.path), entry)
        hold(all(target and target == target.strip() for target in entry.targets), entry)
        if entry.name is not None:
            parts = PurePosixPath(entry.name).parts
            hold(parts and not entry.name.startswith("/") and ".." not in parts, entry)


_RECORD = Record(
    name="talks/a",
    source="/archive/talks/a.mp4",
    sha256="0" * 64,
    stamp=Stamp(1, 2),
    fingerprint="f",
    words=False,
    show=None,
    quality="done",
    files={"srt": "talks/a.srt", "pt.txt": "talks/a.pt.txt"},
    audio_s=1.0,
    captions=1,
    failures=0,
    rejected=0,
    lost=0,
    error=None,
    began=0.0,
    ended=1.0,
    settings={},
    program="0.1.0",
)
_BODY: dict[str, Any] = json.loads(_RECORD.as_text())
_FIELDS = (
    *_BODY,
    "srt",
    "size",
    "changed_ns",
    "../x",
    "/etc/passwd",
    "a/../../b",
    "link/.bashrc",
    "incomplete",
)


def batch_record(data: bytes) -> None:
    """The record of a result set: one whose files lie in its folder and that says the same again, or none."""
    choices = Choices(data)
    if choices.below(2):
        text = written(choices.changed((_BODY,), _FIELDS))
    else:
        text = choices.rest().decode("utf-8", "replace")
    record = read_record(text)
    if record is None:
        return
    for path in (record.name, *record.files.values()):
        parts = PurePosixPath(path).parts
        hold(parts and not path.startswith("/") and ".." not in parts and "\0" not in path, record)
    hold(read_record(record.as_text()) == record, record)
    hold(list(Records([record, record])) == [record], record)


TARGETS = (
    Target(
        "batch-list",
        batch_list,
        (
            b'\0path,from,to,name\na.mp4,en,"pt,es",2026/a\n',
            b"\1# talks\na.mp4\n../b.wav\n",
            *(b"\2" + json.dumps(row).encode() for row in _ROWS),
        ),
        (*_COLUMNS, ",", '"', "\n", "\r\n"),
        512,
    ),
    Target("batch-record", batch_record, (b"\0" + _RECORD.as_text().encode(), b"\1\0\1\2\3"), _FIELDS),
)
