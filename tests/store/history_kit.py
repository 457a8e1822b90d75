"""Sessions for the tests of the history: journals as programs leave them."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from decalage.config import StreamOptions
from decalage.events import Caption, Event, Start, as_json
from decalage.store.history import History
from decalage.store.journal import Journal, JournalOptions
from tests.store.journal_kit import MODELS, OPTIONS, START, caption, pieces

UNLIMITED = JournalOptions(most_bytes=10**12, longest_s=10**12)


def said(index: int, **text: str) -> Caption:
    """A caption of a second, English first: ``said(0, en="Hello.", pt="Olá.")``."""
    return replace(caption(index), start=float(index), end=index + 1.0, text=text)


def session(
    root: Path,
    events: Sequence[Event],
    name: str,
    *,
    ended: bool = True,
    options: StreamOptions = OPTIONS,
    start: Start = START,
) -> Path:
    """The journal of ``name``, such as ``20260102T030405Z-aaaaaaaa``, as if it had been written then."""
    before = set(root.iterdir()) if root.is_dir() else set()
    journal = Journal(MODELS, root, UNLIMITED)
    recording = journal.begin(start, options)
    for seq, event in enumerate((start, *events), 1):
        recording.event(seq, event)
    for chunk in pieces(0, 16_000):
        recording.sound(chunk)
    if ended:
        recording.close()
    journal.close()
    (made,) = set(root.iterdir()) - before
    return placed(made, name)


def placed(folder: Path, name: str) -> Path:
    """``folder`` as a session of that name, begun when it says."""
    settings = folder / "session.json"
    began = f"{name[:4]}-{name[4:6]}-{name[6:8]}T{name[9:11]}:{name[11:13]}:{name[13:15]}Z"
    settings.write_text(json.dumps({**json.loads(settings.read_text()), "began": began}))
    then = time.time() - 3600
    os.utime(settings, (then, then))
    return folder.rename(folder.with_name(name))


def grown(folder: Path, *events: Event) -> None:
    """More is told in ``folder``, as when it is resumed."""
    with (folder / "events.jsonl").open("ab") as file:
        for seq, event in enumerate(events, 1000):
            file.write(json.dumps({**as_json(event), "seq": seq}).encode() + b"\n")


def contents(path: Path) -> list[tuple[object, ...]]:
    """All that the tables hold, without the numbers of rows that nobody sees."""
    with sqlite3.connect(path) as database:
        rows = [
            *database.execute("SELECT name, began, duration_s, ending, captions, settings FROM session"),
            *database.execute("SELECT session, place, body FROM event"),
            *database.execute(
                "SELECT session, utterance, language, start_s, text, spoken, afterwards FROM said"
            ),
            *database.execute("SELECT said.text, words.text FROM words JOIN said ON said.id = words.rowid"),
            *database.execute("SELECT count(*) FROM words"),
            *database.execute("SELECT * FROM untranslated"),
        ]
    database.close()
    return sorted(rows, key=repr)


def names(history: History, *words: str, language: str | None = None) -> list[str]:
    """The sessions in which ``words`` are found, the newest first, each once."""
    return list(dict.fromkeys(hit.session for hit in history.search(words, language=language).hits))


class WithoutSearch(sqlite3.Connection):
    """SQLite as it is where it was built without FTS5."""

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        if "fts5" in arguments[0]:
            raise sqlite3.OperationalError("no such module: fts5")
        return super().execute(*arguments)
