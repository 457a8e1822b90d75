"""The file of names and terms: one a line, with or without its translation."""

from __future__ import annotations

import re
from pathlib import Path

from decalage.app.texts import read_utf8
from decalage.config import Term
from decalage.errors import UsageError
from decalage.languages import LANGUAGES, primary

_COMMENT = re.compile(r"(^|(?<=\s))#.*")


def read_terms(path: Path) -> tuple[Term, ...]:
    """The terms in ``path``: lines such as.

    ::

        # comments and empty lines are passed over
        Dashwood                            stays as it is
        floor = plenário                    in every language
        London = pt: Londres; es: Londres   by language, elsewhere as it is

    Raises ``InputError`` for a file that cannot be read, ``UsageError`` naming the line that is none.
    """
    terms: dict[str, Term] = {}
    for number, line in enumerate(read_utf8(path).splitlines(), 1):
        told = _COMMENT.sub("", line).strip()
        if not told:
            continue
        try:
            term = _term(told)
        except UsageError as error:
            raise UsageError(f"{path}, line {number}: {error}") from error
        if term.text.casefold() in terms:
            raise UsageError(f"{path}, line {number}: {term.text!r} stands there twice")
        terms[term.text.casefold()] = term
    return tuple(terms.values())


def _language(code: str) -> str | None:
    """The language that ``code`` names, if one of the table."""
    try:
        found = primary(code)
    except UsageError:
        return None
    return found if found in LANGUAGES else None


def _term(told: str) -> Term:
    text, equals, translation = (part.strip() for part in told.partition("="))
    if not any(letter.isalnum() for letter in text):
        raise UsageError("no term before '='; write for example: London = Londres")
    if not equals:
        return Term(text)
    if not translation:
        raise UsageError(f"no translation after '='; {text!r} alone keeps it as it is")
    first, colon, _ = translation.partition(":")
    if not colon or _language(first.strip()) is None:  # "yes = si" is no Sinhala
        return Term(text, everywhere=translation)
    into: dict[str, str] = {}
    for part in translation.split(";"):
        language, colon, words = (piece.strip() for piece in part.partition(":"))
        code = _language(language)
        if code is None or not (colon and words):
            raise UsageError(f"{part.strip()!r} is not a language and a translation, as in pt: Londres")
        into[code] = words
    return Term(text, by_language=tuple(into.items()))
