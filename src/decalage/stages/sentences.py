"""Text into sentences, the pieces a translation model was trained on: pure, for European scripts."""

from __future__ import annotations

import re

MAX_WORDS = 60
"""Longer pieces are cut at a clause: the time of a translation grows faster than its length."""

_ABBREVIATIONS = frozenset(
    """
    mr mrs ms dr prof sr sra srta jr st mt gen col sgt capt lt rev hon pres gov sen rep
    no vol pp fig vs etc e.g i.e cf al inc ltd co corp dept est approx
    jan feb mar apr jun jul aug sep sept oct nov dec exmo ilmo dra av pág núm art
    """.split()  # noqa: SIM905 - a list of words reads best as words
)
_END = re.compile(r"""([.!?…]+["'”’»)\]]*)(\s+)(?=["'“‘«(\[¿¡—–-]*[^\s])""")
_CLAUSE = re.compile(r"(?<=[,;:—–])\s+")
_LAST_WORD = re.compile(r"(\S+?)[.]$")


def sentences(text: str) -> list[str]:
    """The sentences of ``text`` in order; joined with spaces they give the text's words again.

    A full stop after an abbreviation, an initial or before a lower-case letter ends no sentence.
    """
    parts, start = [], 0
    for match in _END.finditer(text):
        head, following = text[start : match.end(1)], text[match.end(2) :]
        if _ends(head, following):
            parts.append(head.strip())
            start = match.end(2)
    parts.append(text[start:].strip())
    return [piece for part in parts if part for piece in _shortened(part)]


def _ends(head: str, following: str) -> bool:
    mark = head.rstrip("\"'”’»)]")
    if not mark.endswith("."):
        return True
    if mark.endswith("..") and following[:1].islower():
        return False
    word = _LAST_WORD.search(mark)
    last = word.group(1).lower().lstrip("(\"'“‘«[") if word else ""
    if last in _ABBREVIATIONS or (len(last) == 1 and last.isalpha() and last != "i"):
        return False
    return not following[:1].islower()


def _shortened(sentence: str) -> list[str]:
    """``sentence``, cut at clause marks, else anywhere, into pieces of at most ``MAX_WORDS`` words."""
    if len(sentence.split()) <= MAX_WORDS:
        return [sentence]
    pieces: list[str] = []
    current: list[str] = []
    for clause in _CLAUSE.split(sentence):
        clause_words = clause.split()
        if current and len(current) + len(clause_words) > MAX_WORDS:
            pieces.append(" ".join(current))
            current = []
        while len(clause_words) > MAX_WORDS:
            pieces.append(" ".join(clause_words[:MAX_WORDS]))
            clause_words = clause_words[MAX_WORDS:]
        current += clause_words
    return [*pieces, " ".join(current)] if current else pieces
