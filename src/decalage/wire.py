"""Events as other programs write them: ``from_json`` reads back what ``events.as_json`` gives."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from typing import TypeGuard, Union, cast, get_args, get_origin, get_type_hints

from decalage.errors import MalformedEventError
from decalage.events import Event


def from_json(body: Mapping[str, object]) -> Event | None:
    """The event that ``body`` stands for; None for a type that is not known here.

    Fields that an event does not have, such as ``seq``, are passed over, and words outside a closed
    set are kept: what is newer than this program is no error. Raises ``MalformedEventError`` for a
    field that is missing or of another type.
    """
    name = body.get("type")
    kind = _kinds().get(name) if isinstance(name, str) else None
    if kind is None:
        return None
    return cast("Event", _built(kind, body, kind.__name__))


@cache
def _kinds() -> dict[str, type]:
    """Published name → class, of every event."""
    kinds: tuple[type[Event], ...] = get_args(Event)
    return {kind.type: kind for kind in kinds}


@cache
def _hints(kind: type) -> dict[str, object]:
    return get_type_hints(kind)


def _built(kind: type, body: Mapping[str, object], where: str) -> object:
    hints = _hints(kind)
    given = {}
    for field in _fields(kind):
        at = f"{where}.{field.name}"
        if field.name in body:
            given[field.name] = _read(hints[field.name], body[field.name], at)
        elif field.default is MISSING and field.default_factory is MISSING:
            given[field.name] = _absent(hints[field.name], at)
    return kind(**given)


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


def _read(hint: object, value: object, where: str) -> object:  # noqa: PLR0911 - a way for each kind of field
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        if value is None:
            return None
        (hint,) = (each for each in get_args(hint) if each is not types.NoneType)
        return _read(hint, value, where)
    if origin is Mapping and _is_object(value):
        _, inner = get_args(hint)
        return {str(key): _read(inner, item, f"{where}.{key}") for key, item in value.items()}
    if origin is tuple and isinstance(value, list | tuple):
        inner = get_args(hint)[0]
        return tuple(_read(inner, item, f"{where}[{number}]") for number, item in enumerate(value))
    if isinstance(hint, type) and is_dataclass(hint) and _is_object(value):
        return _built(hint, value, where)
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    plain = hint if isinstance(hint, type) else str  # a closed set of words
    if isinstance(value, plain) and isinstance(value, bool) == (plain is bool):
        return value
    raise MalformedEventError(f"{where} cannot be {value!r}")


def _is_object(value: object) -> TypeGuard[Mapping[str, object]]:
    return isinstance(value, Mapping)
