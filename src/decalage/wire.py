"""Events as other programs write them: ``from_json`` reads back what ``events.as_json`` gives."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from functools import cache
from math import isfinite
from typing import Literal, TypeGuard, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from decalage.errors import MalformedEventError, brief
from decalage.events import Event

Record = TypeVar("Record")

_LARGEST = 2**1023
"""Of a whole number that is to be a float."""


def from_json(body: Mapping[str, object]) -> Event | None:
    """The event that ``body`` stands for; None for a type that is not known here.

    Fields that an event does not have, such as ``seq``, are passed over, and words outside a closed
    set are kept: what is newer than this program is no error. Raises ``MalformedEventError`` for a
    field that is missing or of another type, and for a number that is infinite or none.
    """
    name = body.get("type")
    kind = _kinds().get(name) if isinstance(name, str) else None
    if kind is None:
        return None
    return cast("Event", _Reader(closed=False).built(kind, body, kind.__name__))


def record(kind: type[Record], body: object) -> Record:
    """``body``, JSON of a dataclass, as one: as ``from_json``, but words outside a closed set are refused.

    A field with a default may be missing. Raises ``MalformedEventError``, and what ``kind`` raises.
    """
    if not _is_object(body):
        raise MalformedEventError(f"{kind.__name__} cannot be {brief(body)}")
    return cast("Record", _Reader(closed=True).built(kind, body, kind.__name__))


@cache
def _kinds() -> dict[str, type]:
    """Published name → class, of every event."""
    kinds: tuple[type[Event], ...] = get_args(Event)
    return {kind.type: kind for kind in kinds}


@cache
def _hints(kind: type) -> dict[str, object]:
    return get_type_hints(kind)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads values of declared types."""

    closed: bool
    """Whether a word outside a closed set is refused."""

    def built(self, kind: type, body: Mapping[str, object], where: str) -> object:
        """A record out of its fields."""
        hints = _hints(kind)
        given = {}
        for field in _fields(kind):
            at = f"{where}.{field.name}"
            if field.name in body:
                given[field.name] = self.read(hints[field.name], body[field.name], at)
            elif field.default is MISSING and field.default_factory is MISSING:
                given[field.name] = _absent(hints[field.name], at)
        return kind(**given)

    def read(self, hint: object, value: object, where: str) -> object:
        """``value`` as what ``hint`` declares."""
        origin = get_origin(hint)
        if origin in (Union, types.UnionType):
            return self._one_of(get_args(hint), value, where)
        if origin is Mapping and _is_object(value):
            _, inner = get_args(hint)
            return {str(key): self.read(inner, item, f"{where}.{key}") for key, item in value.items()}
        if origin in (tuple, frozenset) and isinstance(value, list | tuple):
            items = self._items(get_args(hint), value, where)
            return frozenset(items) if origin is frozenset else items
        if isinstance(hint, type) and is_dataclass(hint) and _is_object(value):
            return self.built(hint, value, where)
        return self._plain(hint, value, where)

    def _one_of(self, hints: tuple[object, ...], value: object, where: str) -> object:
        """What the first of ``hints`` makes of ``value`` that can."""
        if value is None and types.NoneType in hints:
            return None
        kinds = [hint for hint in hints if hint is not types.NoneType]
        for hint in kinds[:-1]:
            try:
                return self.read(hint, value, where)
            except MalformedEventError:
                continue
        return self.read(kinds[-1], value, where)

    def _items(
        self, inner: tuple[object, ...], values: list[object] | tuple[object, ...], where: str
    ) -> tuple[object, ...]:
        """Any number of one kind, or one of each."""
        several = len(inner) == 1 or inner[-1] is Ellipsis
        kinds = inner[:1] * len(values) if several else inner
        if len(kinds) != len(values):
            raise MalformedEventError(f"{where} cannot be {brief(values)}")
        pairs = enumerate(zip(kinds, values, strict=True))
        return tuple(self.read(kind, item, f"{where}[{number}]") for number, (kind, item) in pairs)

    def _plain(self, hint: object, value: object, where: str) -> object:
        """A number, a text, a word of a set, or whether something is so."""
        if hint is float and _is_number(value):
            return float(value)
        words = get_args(hint) if get_origin(hint) is Literal else ()
        plain = type(words[0]) if words else hint
        fits = isinstance(plain, type) and plain is not float and isinstance(value, plain)
        known = not (self.closed and words) or value in words
        if fits and known and isinstance(value, bool) == (plain is bool):
            return value
        raise MalformedEventError(f"{where} cannot be {brief(value)}")


def _fields(kind: type) -> tuple[Field[object], ...]:
    if not is_dataclass(kind):  # pragma: no cover - events are made of these alone
        raise MalformedEventError(f"{kind.__name__} is no record")
    return fields(kind)


def _absent(hint: object, where: str) -> object:
    """What stands for a field that is left out when there is nothing in it."""
    if get_origin(hint) is Mapping:
        return {}
    if types.NoneType in get_args(hint):
        return None
    raise MalformedEventError(f"{where} is missing")


def _is_number(value: object) -> TypeGuard[int | float]:
    """Whether it is one that JSON can hold and a float too: Python reads infinite ones out of 1e999."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isfinite(value) if isinstance(value, float) else abs(value) <= _LARGEST


def _is_object(value: object) -> TypeGuard[Mapping[str, object]]:
    return isinstance(value, Mapping)
