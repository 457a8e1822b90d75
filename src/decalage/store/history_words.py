"""What is searched for, and in what: pure, for SQLite's FTS5 and its tokenizer ``unicode61``."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from decalage.errors import UsageError

TOKENIZER = "unicode61 remove_diacritics 2"
"""Case and accents make no difference: "pais" finds "país"."""
OPENS, CLOSES = "\x02", "\x03"
"""Stand around what was found; no indexed text has them."""
_BETWEEN = "\u200b"
"""Parts words as a space does, and is in no indexed text either."""
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer
    "\u3005-\u3007\u3041-\u30ff\u31f0-\u31ff\uff66-\uff9f"  # Japanese
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Chinese
)
_BORDERS = re.compile(rf"(?<=[{_UNSPACED}])(?=\S)|(?<=\S)(?=[{_UNSPACED}])")
_TAKEN = {ord(letter): " " for letter in ("\x00", OPENS, CLOSES, _BETWEEN)}


def indexed(text: str) -> str:
    """What is indexed for ``text``: in scripts without spaces each letter is a word.

    Where it differs otherwise it has a letter for a letter, so that ``spans`` fit ``text``.
    """
    return _BORDERS.sub(_BETWEEN, storable(text).translate(_TAKEN))


def storable(text: str) -> str:
    """``text``, which may come from a damaged file, with nothing in it that is not UTF-8."""
    return text.encode("utf-8", "replace").decode()


def query(words: Iterable[str]) -> str:
    """An expression of FTS5 for texts with all of ``words``; one that ends in ``*`` finds what begins so.

    Any text gives an expression that can be asked, or raises ``UsageError`` where no word is in it.
    """
    wanted: dict[str, None] = {}
    for word in " ".join(words).split():
        bare = word.rstrip("*")
        if any(_is_of_a_word(letter) for letter in bare):
            quoted = indexed(bare).replace('"', '""')
            wanted[f'"{quoted}"{"*" if bare != word else ""}'] = None
    if not wanted:
        raise UsageError("no word to search for; write for example: decalage history search hello wor*")
    return " ".join(wanted)


def _is_of_a_word(letter: str) -> bool:
    """As the tokenizer has it."""
    category = unicodedata.category(letter)
    return category[0] in "LN" or category == "Co"


def spans(marked: str) -> tuple[tuple[int, int], ...]:
    """What stands between the marks of an indexed text: (first, past the last) letter of the text itself."""
    found, place, begin = [], 0, 0
    for letter in marked:
        if letter == OPENS:
            begin = place
        elif letter == CLOSES:
            found.append((begin, place))
        elif letter != _BETWEEN:
            place += 1
    return tuple(found)
