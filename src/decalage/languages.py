"""Language codes: BCP 47 as people write them, reduced to what the models know."""

from __future__ import annotations

from decalage.errors import UsageError

_ALIASES = {"iw": "he", "in": "id", "ji": "yi", "jv": "jw", "nb": "no", "fil": "tl"}
"""Codes that Whisper knows by another name."""


def primary(code: str) -> str:
    """The primary language of a BCP 47 tag: ``pt-BR`` → ``pt``. RFC 5646, section 2.2.1.

    Raises ``UsageError`` when ``code`` cannot be a language tag.
    """
    head = code.replace("_", "-").split("-")[0].lower()
    if not (head.isascii() and head.isalpha() and 2 <= len(head) <= 3):
        raise UsageError(f"{code!r} is not a language code; write for example en, pt or pt-BR")
    return _ALIASES.get(head, head)
