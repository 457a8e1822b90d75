"""What was said, session by session: kept until it is deleted, longer than the journals, and searched.

The texts come from the journals (``history_upkeep``), and from translations made afterwards.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TypeAlias

from decalage.errors import InputError, MalformedEventError
from decalage.events import Caption, Event, Failure, Gap, Rejected
from decalage.store.history_database import (
    Connect,
    damage,
    history_path,
    open_database,
    refusals,
    transaction,
)
from decalage.store.history_search import listed, search
from decalage.store.history_values import (
    ENDINGS,
    Found,
    Listed,
    Rendition,
    Said,
    SessionText,
    answered_once,
    said,
)
from decalage.store.history_words import indexed, storable
from decalage.store.journal_session import exactly
from decalage.store.journal_settings import JournalSettings, settings_as_json, settings_from_json
from decalage.wire import from_json

_REMEMBER = """
    INSERT INTO session (
        name, stamp, began, duration_s, source, targets, model, ending,
        captions, failures, rejected, gaps, settings)
    VALUES (
        :name, :stamp, :began, :duration_s, :source, :targets, :model, :ending,
        :captions, :failures, :rejected, :gaps, :settings)
    ON CONFLICT (name) DO UPDATE SET
        stamp = :stamp, began = :began, duration_s = :duration_s, source = :source, targets = :targets,
        model = :model, ending = :ending, captions = :captions, failures = :failures,
        rejected = :rejected, gaps = :gaps, settings = :settings
"""
_TIMES = "SELECT utterance, start_s, end_s FROM said WHERE session = ? AND spoken"
_OF_UTTERANCE = "SELECT id FROM said WHERE session = ? AND utterance = ? AND language = ?"
_TRANSLATED = "DELETE FROM untranslated WHERE session = ? AND utterance = ? AND language = ?"
_AFTERWARDS = "SELECT language, utterance, text FROM said WHERE session = ? AND afterwards ORDER BY id"
_LANGUAGES = "SELECT DISTINCT language FROM said ORDER BY language"
_UNTRANSLATED = "SELECT language, utterance, error FROM untranslated WHERE session = ?"

Execute: TypeAlias = Callable[..., sqlite3.Cursor]


class History:
    """One file of SQLite, ``history_path()`` by default, made where there is none; for one thread.

    Other programs may read and write it meanwhile. Every method raises as ``open_database``.
    """

    def __init__(self, path: Path | None = None, *, connect: Connect = sqlite3.connect) -> None:
        self.path = path or history_path()
        self._database = open_database(self.path, connect)

    def __repr__(self) -> str:
        return f"<History {self.path}>"

    def __enter__(self) -> History:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Idempotent."""
        self._database.close()

    def stamps(self) -> dict[str, str]:
        """Name of each session → the stamp that it was remembered with."""
        with refusals(self.path):
            return dict(self._database.execute("SELECT name, stamp FROM session ORDER BY began, name"))

    def remember(self, session: SessionText, stamp: str, still: Callable[[], bool]) -> bool:
        """Keep ``session`` whole or not at all, in the place of what there was of it.

        What it was translated into afterwards stays. Nothing is kept where ``still``, asked when nobody else
        can write any more, says that it is not wanted, nor of a session without its end that has fewer
        answers than are kept of it: it is on its way there again. Returns whether it was.
        """
        events = tuple(answered_once(session.events))
        with self._writing() as write:
            begun = session.ending != "closed" and session.answers < self._answers(session.name)
            if begun or not still():
                return False
            write(_REMEMBER, _columns(session, stamp))
            number = self._must(session.name)
            write("DELETE FROM event WHERE session = ?", (number,))
            self._unsay("SELECT id FROM said WHERE session = ? AND NOT afterwards", number)
            for place, event in enumerate(events):
                write("INSERT INTO event VALUES (?, ?, ?)", (number, place, json.dumps(exactly(event))))
            for text in said(events):
                self._say(number, text, afterwards=False)
        return True

    def add(self, name: str, rendition: Rendition) -> None:
        """Keep ``rendition`` of a session too; where it has a text, it takes the place of what there was.

        Raises ``InputError`` where there is no session of that name any more.
        """
        language = rendition.language
        with self._writing() as write:
            number = self._must(name)
            for utterance, start, end in write(_TIMES, (number,)).fetchall():
                if (text := rendition.text.get(utterance)) is not None:
                    self._unsay(_OF_UTTERANCE, number, utterance, language)
                    write(_TRANSLATED, (number, utterance, language))
                    told = Said(utterance, language, start, end, text, spoken=False)
                    self._say(number, told, afterwards=True)
            for utterance, error in rendition.errors.items():
                row = (number, utterance, language, storable(error))
                write("INSERT OR REPLACE INTO untranslated VALUES (?, ?, ?, ?)", row)

    def read(self, name: str) -> SessionText:
        """What was told in the session of that name, as it was. Raises ``InputError`` where there is none."""
        with self._reading() as ask:
            number = self._must(name)
            settings, ending = ask("SELECT settings, ending FROM session WHERE id = ?", (number,)).fetchone()
            bodies = ask("SELECT body FROM event WHERE session = ? ORDER BY place", (number,)).fetchall()
        events = (_event(body) for (body,) in bodies)
        told = tuple(event for event in events if event is not None)
        return SessionText(name, self._settings(settings), ENDINGS.get(ending), told)

    def renditions(self, name: str) -> list[Rendition]:
        """What the session was translated into afterwards, in the order in which it was."""
        with self._reading() as ask:
            number = self._must(name)
            texts = ask(_AFTERWARDS, (number,)).fetchall()
            errors = ask(_UNTRANSLATED, (number,)).fetchall()
        return [
            Rendition(
                language,
                {utterance: text for into, utterance, text in texts if into == language},
                {utterance: error for into, utterance, error in errors if into == language},
            )
            for language in dict.fromkeys(row[0] for row in (*texts, *errors))
        ]

    def listed(self) -> list[Listed]:
        """All sessions, the oldest first."""
        with refusals(self.path):
            return listed(self._database)

    def languages(self) -> list[str]:
        """All that something was said in, or translated into."""
        with refusals(self.path):
            return [row[0] for row in self._database.execute(_LANGUAGES)]

    def search(self, words: Iterable[str], *, language: str | None = None, limit: int = 20) -> Found:
        """The ``limit`` newest utterances with a text that has all of ``words``, in ``language`` if given.

        As ``history_words.query``: raises ``UsageError`` where no word is among them.
        """
        with refusals(self.path):
            return search(self._database, words, language=language, limit=limit)

    def forget(self, names: Sequence[str]) -> None:
        """Delete all there is of these sessions, and leave no trace of it in the file."""
        if not names:
            return
        with self._writing() as write:
            for name in names:
                if (number := self._number(name)) is not None:
                    self._unsay("SELECT id FROM said WHERE session = ?", number)
                    write("DELETE FROM session WHERE id = ?", (number,))
            write("INSERT INTO words (words) VALUES ('optimize')")  # forgets words that no row has any more
        with refusals(self.path):
            self._database.execute("VACUUM")  # what lay between rows goes, too

    @contextmanager
    def _reading(self) -> Iterator[Execute]:
        with refusals(self.path), transaction(self._database, writes=False):
            yield self._database.execute

    @contextmanager
    def _writing(self) -> Iterator[Execute]:
        with refusals(self.path), transaction(self._database, writes=True):
            yield self._database.execute

    def _number(self, name: str) -> int | None:
        row = self._database.execute("SELECT id FROM session WHERE name = ?", (name,)).fetchone()
        return None if row is None else int(row[0])

    def _answers(self, name: str) -> int:
        """How many utterances of that session are kept, answered one way or another."""
        counts = "SELECT captions + failures + rejected + gaps FROM session WHERE name = ?"
        row = self._database.execute(counts, (name,)).fetchone()
        return 0 if row is None else int(row[0])

    def _must(self, name: str) -> int:
        number = self._number(name)
        if number is None:
            raise InputError(f"session {name} is not in the history any more")
        return number

    def _settings(self, body: str) -> JournalSettings:
        try:
            return settings_from_json(json.loads(body))
        except ValueError as error:
            raise damage(self.path, error) from error

    def _say(self, session: int, text: Said, *, afterwards: bool) -> None:
        """A row and its words; none where there is a row already, which was made afterwards."""
        where = (session, text.utterance, storable(text.language), text.start, text.end)
        row = self._database.execute(
            "INSERT OR IGNORE INTO said VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*where, storable(text.text), text.spoken, afterwards),
        )
        if row.rowcount:
            words = (row.lastrowid, indexed(text.text))
            self._database.execute("INSERT INTO words (rowid, text) VALUES (?, ?)", words)

    def _unsay(self, which: str, *values: object) -> None:
        """Rows with their words; ``which`` selects their numbers."""
        numbers = self._database.execute(which, values).fetchall()
        self._database.executemany("DELETE FROM words WHERE rowid = ?", numbers)
        self._database.executemany("DELETE FROM said WHERE id = ?", numbers)


def _columns(session: SessionText, stamp: str) -> dict[str, object]:
    """The row of a session, by column."""
    settings = session.settings
    start = settings.start
    return {
        "name": session.name,
        "stamp": stamp,
        "began": storable(settings.began),
        "duration_s": session.duration_s,
        "source": storable(start.source),
        "targets": json.dumps(start.targets),
        "model": storable(start.model),
        "ending": session.ending,
        "captions": session.count(Caption),
        "failures": session.count(Failure),
        "rejected": session.count(Rejected),
        "gaps": session.count(Gap),
        "settings": json.dumps(settings_as_json(settings)),
    }


def _event(body: str) -> Event | None:
    """None for one that this program cannot read, as in a journal."""
    try:
        return from_json(json.loads(body))
    except (MalformedEventError, ValueError):
        return None
