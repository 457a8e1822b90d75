"""Decisions read off the bytes of an input, so that whatever changes them changes what is tried."""

from __future__ import annotations

import copy
import json
import struct
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

Item = TypeVar("Item")

_DEEP = (3, 60, 400, 950, 5_000)
"""Levels of lists in lists: some more than the interpreter follows."""
_NUMBERS = (0, 1, -1, 2**31, 2**53, -(2**63), 10**30, 10**400, 0.5, -0.0, 1e308, float("inf"), float("nan"))


class BrokenError(Exception):
    """Raised where something is not as it always has to be."""


def hold(fact: object, told: object) -> None:
    """Raise ``BrokenError``, with what is ``told``, unless ``fact`` is true."""
    if not fact:
        raise BrokenError(str(told)[:500])


class Choices:
    """Reads an input from its beginning; where it has ended, all that is read is 0 or empty."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __repr__(self) -> str:
        return f"<Choices {self._at} of {len(self._data)} bytes>"

    def taken(self, count: int) -> bytes:
        """The next bytes, as many as there are."""
        piece = self._data[self._at : self._at + count]
        self._at += len(piece)
        return piece

    def rest(self) -> bytes:
        """All that is left."""
        return self.taken(len(self._data))

    def below(self, limit: int) -> int:
        """A number from 0 to ``limit`` − 1, of one byte, of two where it takes more."""
        return int.from_bytes(self.taken(1 if limit <= 256 else 2), "little") % limit

    def pick(self, among: Sequence[Item]) -> Item:
        """One of them."""
        return among[self.below(len(among))]

    def real(self) -> float:
        """Any of the 64-bit floating-point numbers."""
        return float(struct.unpack("<d", self.taken(8).ljust(8, b"\0"))[0])

    def text(self, limit: int = 24) -> str:
        """Of up to ``limit`` bytes; some are half a surrogate pair, which JSON may hold and UTF-8 not."""
        told = self.taken(self.below(limit + 1)).decode("utf-8", "replace")
        return told.replace("~", "\ud800")

    def lines(self, separator: bytes = b"\xff") -> list[bytes]:
        """The rest, in pieces."""
        return self.rest().split(separator)

    def json(self, words: Sequence[str], depth: int = 3) -> Any:
        """Any value that ``json.dumps`` writes, made of ``words`` among others."""
        kinds: list[Callable[[], Any]] = [
            lambda: None,
            lambda: True,
            lambda: False,
            lambda: self.below(256),
            lambda: self.pick(_NUMBERS),
            self.real,
            self.text,
            lambda: self.pick(words),
            lambda: _nested(self.pick(_DEEP)),
            lambda: {self.pick(words): self.json(words, depth - 1) for _ in range(self.below(4))},
            lambda: [self.json(words, depth - 1) for _ in range(self.below(4))],
        ]
        return self.pick(kinds if depth else kinds[:8])()

    def changed(self, bodies: Sequence[Any], words: Sequence[str]) -> Any:
        """One of ``bodies``, in up to four places another than it was."""
        body = copy.deepcopy(self.pick(bodies))
        for _ in range(self.below(5)):
            body = self._changed_once(body, words)
        return body

    def _changed_once(self, body: Any, words: Sequence[str]) -> Any:
        """``body`` with another value somewhere."""
        if not isinstance(body, dict | list) or not body:
            return self.json(words)
        place = self.pick(list(body)) if isinstance(body, dict) else self.below(len(body))
        what = self.below(4)
        if what == 0:
            del body[place]
        elif what == 1:
            body[place] = self.json(words)
        elif what == 2 and isinstance(body, dict):
            body[self.pick(words)] = self.json(words)
        else:
            body[place] = self._changed_once(body[place], words)
        return body

    def document(self, bodies: Sequence[Any], words: Sequence[str]) -> str:
        """Text that is JSON, more or less: the rest as it is, or one of ``bodies`` changed."""
        if self.below(2):
            return written(self.changed(bodies, words))
        return self.rest().decode("utf-8", "replace")


def written(body: object) -> str:
    """``body`` as JSON; what is too deep for its writer, as Python writes it flat."""
    try:
        return json.dumps(body)
    except RecursionError:
        return "[" * _DEEP[-1]


def _nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value
