"""What the history answers: the list of its sessions, and where words were said."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable

from decalage.store.history_values import ENDINGS, Found, Hit, Listed
from decalage.store.history_words import CLOSES, OPENS, query, spans

_FIRST = 200
"""Letters of what was said first."""
_FITS = """
    FROM words JOIN said ON said.id = words.rowid JOIN session ON session.id = said.session
    WHERE words MATCH :wanted AND (:language IS NULL OR said.language = :language)
"""
_COUNTED = f"SELECT count(*) FROM (SELECT DISTINCT session.id, utterance {_FITS})"  # noqa: S608 - our own words
_NEWEST = f"""
    SELECT DISTINCT session.id, session.name, session.began, utterance, start_s, end_s {_FITS}
    ORDER BY session.began DESC, session.name DESC, utterance LIMIT :limit
"""
_MARKED = f"""
    SELECT language, highlight(words, 0, '{OPENS}', '{CLOSES}') {_FITS}
    AND said.session = :session AND utterance = :utterance
"""
_TEXTS = "SELECT language, text FROM said WHERE session = ? AND utterance = ? ORDER BY spoken DESC, id"
_LISTED = """
    SELECT id, name, began, duration_s, source, targets, model, ending, captions, failures, rejected, gaps
    FROM session ORDER BY began, name
"""
_LANGUAGES = "SELECT language, spoken FROM said WHERE session = ? GROUP BY language, spoken ORDER BY min(id)"
_BEGINNING = """
    SELECT substr(text, 1, :letters) FROM said WHERE session = :session AND spoken ORDER BY utterance LIMIT 1
"""


def search(database: sqlite3.Connection, words: Iterable[str], *, language: str | None, limit: int) -> Found:
    """The ``limit`` newest utterances with a text that has all of ``words``, in ``language`` if one is given.

    Raises ``UsageError`` where no word is among them.
    """
    asked: dict[str, object] = {"wanted": query(words), "language": language, "limit": limit}
    (total,) = database.execute(_COUNTED, asked).fetchone()
    hits = []
    for session, name, began, utterance, start, end in database.execute(_NEWEST, asked).fetchall():
        here = {**asked, "session": session, "utterance": utterance}
        matched = {into: spans(text) for into, text in database.execute(_MARKED, here)}
        text = dict(database.execute(_TEXTS, (session, utterance)).fetchall())
        hits.append(Hit(name, began, utterance, start, end, text, matched))
    return Found(tuple(hits), total)


def listed(database: sqlite3.Connection) -> list[Listed]:
    """All sessions, the oldest first."""
    found = []
    for row in database.execute(_LISTED).fetchall():
        session, name, began, duration_s, source, targets, model, ending, *counts = row
        languages = database.execute(_LANGUAGES, (session,)).fetchall()
        spoken = tuple(language for language, is_spoken in languages if is_spoken)
        others = tuple(dict.fromkeys(language for language, is_spoken in languages if not is_spoken))
        first = database.execute(_BEGINNING, {"session": session, "letters": _FIRST}).fetchone()
        found.append(
            Listed(
                name=name,
                began=began,
                duration_s=duration_s,
                source=spoken or (source,),
                targets=others if languages else tuple(json.loads(targets)),
                model=model,
                ending=ENDINGS.get(ending),
                captions=counts[0],
                failures=counts[1],
                rejected=counts[2],
                gaps=counts[3],
                first_words="" if first is None else first[0],
            )
        )
    return found
