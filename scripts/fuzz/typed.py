"""Whether a value is of the types that its classes declare."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from math import isfinite
from typing import Literal, Union, get_args, get_origin, get_type_hints


def ill_typed(value: object) -> str:
    """Where ``value``, a record, has something in it that it cannot hold; empty if nowhere.

    Words outside a closed set are no fault: what is newer than a program is passed on by it.
    """
    return next(_faults(value, type(value), type(value).__name__), "")


def _faults(value: object, hint: object, where: str) -> Iterator[str]:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        if all(any(True for _ in _faults(value, each, where)) for each in inner):
            yield f"{where} is {value!r}"
    elif origin is Literal:
        yield from _faults(value, type(inner[0]), where)
    elif isinstance(value, origin or ()) and origin is not None:
        for item, kind in _parts(value, origin, inner):
            yield from _faults(item, kind, where)
    elif isinstance(hint, type) and is_dataclass(hint) and isinstance(value, hint):
        hints = get_type_hints(hint)
        for field in fields(hint):
            yield from _faults(getattr(value, field.name), hints[field.name], f"{where}.{field.name}")
    elif not (isinstance(hint, type) and _is_plain(value, hint)):
        yield f"{where} is {value!r}"


def _parts(value: object, origin: type, inner: tuple[object, ...]) -> Iterator[tuple[object, object]]:
    """What ``value`` is made of, each with what it is to be."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from ((key, inner[0]), (item, inner[1]))
    elif isinstance(value, tuple | frozenset):
        same = origin is frozenset or inner[-1] is Ellipsis
        yield from zip(value, [inner[0]] * len(value) if same else inner, strict=same)


def _is_plain(value: object, kind: type) -> bool:
    if kind is float:
        number = isinstance(value, float | int) and not isinstance(value, bool)
        return number and isfinite(value)  # type: ignore[arg-type]
    return isinstance(value, kind) and isinstance(value, bool) == (kind is bool)
