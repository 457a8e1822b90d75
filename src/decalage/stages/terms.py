"""Names and terms whose translation is given: held to in what a translation model makes. Pure.

A small model mangles names. What it makes of a sentence is kept where the wanted words are in it; where
it left a term as it was said, that is replaced; else the sentence is translated again with a placeholder
for each term, and kept only if every placeholder came through.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from decalage.config import Term

Translate = Callable[[str], str]

_PLACEHOLDERS = ("Xanadu", "Zorblax", "Quixor", "Vexlin", "Wuzhou")


@dataclass(frozen=True, slots=True)
class _Found:
    """A term in a text."""

    said: str
    wanted: str


def translated(text: str, translate: Translate, terms: Sequence[Term], target: str) -> str:
    """``translate(text)`` with the translations that ``terms`` give into ``target``."""
    found = _found(text, terms, target)
    plain = translate(text)
    if not found:
        return plain
    mended = _mended(plain, found)
    if mended is not None:
        return mended
    held = _held(text, translate, found)
    return plain if held is None else held


def _found(text: str, terms: Sequence[Term], target: str) -> list[_Found]:
    """The terms in ``text``, longest first, each once."""
    found, left = [], text
    for term in sorted(terms, key=lambda each: len(each.text), reverse=True):
        pattern = _pattern(term.text)
        if (match := pattern.search(left)) is not None:
            found.append(_Found(match.group(), term.into(target)))
            left = pattern.sub(" ", left)
    return found


def _mended(plain: str, found: Sequence[_Found]) -> str | None:
    """``plain`` with every wanted word in it, if replacing what was left as said is enough."""
    text = plain
    for each in found:
        if _pattern(each.wanted).search(text):
            continue
        text, count = _pattern(each.said).subn(lambda _, wanted=each.wanted: wanted, text)  # type: ignore[misc]
        if not count:
            return None
    return text


def _held(text: str, translate: Translate, found: Sequence[_Found]) -> str | None:
    """Translated with placeholders; None where one was lost or there are too many."""
    free = [name for name in _PLACEHOLDERS if name.casefold() not in text.casefold()]
    if len(free) < len(found):
        return None
    places = dict(zip(free, found, strict=False))
    for name, each in places.items():
        text = _pattern(each.said).sub(name, text)
    made = translate(text)
    for name, each in places.items():
        made, count = _pattern(name).subn(lambda _, wanted=each.wanted: wanted, made)  # type: ignore[misc]
        if not count:
            return None
    return made


def _pattern(words: str) -> re.Pattern[str]:
    """``words`` as whole words, in any case and with any space between them."""
    inner = r"\s+".join(re.escape(word) for word in words.split())
    return re.compile(rf"(?<!\w){inner}(?!\w)", re.IGNORECASE)
