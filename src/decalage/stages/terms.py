"""Names and terms whose translation is given: held to in what a translation model makes. Pure.

A small model mangles names. What it makes of a sentence is kept where the wanted words are in it as often
as they were said, with a short ending of their own if the language gives them one; where it left a term as
it was said, that is replaced; else the sentence is translated again with a placeholder for each term that is
missing, and kept only if every placeholder came through. A term is found as it is written in the list, in any
case: a plural is a term of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from decalage.config import Term
from decalage.stages.sentences import sentences

Translate = Callable[[str], str]

_PLACEHOLDERS = ("Xanadu", "Zorblax", "Quixor", "Vexlin", "Wuzhou")
"""Words that the models let through: ``tests/stages/test_terms.py`` tries them."""
_MARKS = "".join(map(chr, range(0xE000, 0xF8FF)))
"""Letters of private use, which nobody says."""
_ENDING = 2
"""Letters that a language may add to a word."""


@dataclass(frozen=True, slots=True)
class _Found:
    """A term in a sentence."""

    said: str
    times: int
    wanted: str

    def is_in(self, text: str) -> bool:
        """Whether it stands in ``text`` as often as it was said."""
        return len(_pattern(self.wanted, ending=_ENDING).findall(text)) >= self.times

    def put(self, place: str, text: str) -> tuple[str, int]:
        """``text`` with the wanted words where ``place`` is, and how often that was."""
        pattern = re.compile(place) if place in _MARKS else _pattern(place)
        return pattern.subn(lambda match: _as_there(self.wanted, match), text)


def translated(text: str, translate: Translate, terms: Sequence[Term], target: str) -> str:
    """``translate(text)`` with the translations that ``terms`` give into ``target``."""
    if not any(_pattern(term.text).search(text) for term in terms):
        return translate(text)
    return " ".join(_sentence(each, translate, terms, target) for each in sentences(text))


def _sentence(text: str, translate: Translate, terms: Sequence[Term], target: str) -> str:
    made = translate(text)
    missing, put = [], {}
    for each in _found(text, terms, target):
        if not each.is_in(made):
            mark = next(_unused(made))  # no other term looks into what stands for this one
            made, count = _pattern(each.said).subn(mark, made)
            put[mark] = each
            if count < each.times:
                missing.append(each)
    for mark, each in put.items():
        made, _ = each.put(mark, made)
    if not missing:
        return made
    held = _held(text, translate, missing)
    return made if held is None else held


def _found(text: str, terms: Sequence[Term], target: str) -> list[_Found]:
    """The terms in ``text``, longest first."""
    found, left = [], text
    for term in sorted(terms, key=lambda each: len(each.text), reverse=True):
        pattern = _pattern(term.text)
        if (match := pattern.search(left)) is not None:
            left, times = pattern.subn(" ", left)
            found.append(_Found(match.group(), times, term.into(target)))
    return found


def _held(text: str, translate: Translate, missing: Sequence[_Found]) -> str | None:
    """Translated with placeholders; None where one was lost or there are too many."""
    free = [name for name in _PLACEHOLDERS if name.casefold() not in text.casefold()]
    if len(free) < len(missing):
        return None
    places = dict(zip(free, missing, strict=False))
    for name, each in places.items():
        text = _pattern(each.said).sub(name, text)
    made = translate(text)
    for name, each in places.items():
        made, count = each.put(name, made)
        if not count:
            return None
    return made


def _unused(text: str) -> Iterator[str]:
    """Marks that do not stand in ``text``."""
    return (mark for mark in _MARKS if mark not in text)


def _as_there(wanted: str, match: re.Match[str]) -> str:
    """``wanted`` with a capital where a sentence begins with it."""
    return wanted[:1].upper() + wanted[1:] if match.start() == 0 else wanted


@lru_cache(maxsize=8192)
def _pattern(words: str, *, ending: int = 0) -> re.Pattern[str]:
    """``words`` as whole words, in any case and with any space between them."""
    inner = r"\s+".join(re.escape(word) for word in words.split())
    return re.compile(rf"(?<!\w){inner}\w{{0,{ending}}}(?!\w)", re.IGNORECASE)
