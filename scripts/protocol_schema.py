"""The protocol's messages as JSON Schema, made from the classes that the server reads and writes.

python -m scripts.protocol_schema          # writes docs/protocol.schema.json
"""

from __future__ import annotations

import json
import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints

from decalage import events
from decalage.app.server import parsing, protocol

DOCUMENT = Path(__file__).parents[1] / "docs" / "protocol.schema.json"

Json: TypeAlias = dict[str, Any]

CLIENT = (protocol.Config, protocol.Flush, protocol.End, protocol.Ping)
SERVER = (
    protocol.Ready,
    protocol.Listening,
    protocol.Ack,
    protocol.Stats,
    protocol.Overload,
    protocol.Pong,
    protocol.Error,
    protocol.Closed,
)
EVENTS = (
    events.Start,
    events.SpeechStarted,
    events.SpeechStopped,
    events.Partial,
    events.Caption,
    events.Failure,
    events.Rejected,
    events.Gap,
    events.LanguageChanged,
    events.Summary,
)

_PLAIN: Mapping[object, Json] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    type(None): {"type": "null"},
    Any: {},
    object: {},
}
_LANGUAGES: Json = {
    "oneOf": [
        {"type": "string", "minLength": 1},
        {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": parsing.LANGUAGES},
        {"type": "null"},
    ]
}
_NARROWED: Mapping[tuple[type, str], Json] = {
    (protocol.Config, "version"): {"const": protocol.VERSION},
    (protocol.Config, "targets"): _LANGUAGES,
    (protocol.Config, "sample_rate"): {
        "type": ["integer", "null"],
        "minimum": parsing.RATES.start,
        "maximum": parsing.RATES.stop - 1,
    },
    (protocol.Config, "prompt"): {"type": ["string", "null"], "maxLength": parsing.PROMPT_LETTERS},
    (protocol.Resume, "last_seq"): {"type": "integer", "minimum": 0},
    (protocol.Resume, "audio_sent_s"): {"type": "number", "minimum": 0},
    (protocol.Resume, "audio_from_s"): {"type": ["number", "null"], "minimum": 0},
    (protocol.Ping, "id"): {"type": ["string", "number", "null"], "maxLength": 64},
}
"""What the reader asks for beyond the type."""


def document() -> Json:
    """The schema: ``$defs`` has a message each; ``client`` and ``server`` say which go which way."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"décalage, version {protocol.VERSION} of its protocol",
        "$defs": {
            **{each.__name__: _message(each, reads=True) for each in CLIENT},
            **{each.__name__: _message(each, reads=False) for each in SERVER},
            **{each.__name__: _event(each) for each in EVENTS},
            "client": {"anyOf": [_ref(each) for each in CLIENT]},
            "server": {"anyOf": [_ref(each) for each in (*SERVER, *EVENTS)]},
        },
    }


def _ref(kind: type) -> Json:
    return {"$ref": f"#/$defs/{kind.__name__}"}


def _message(kind: Any, *, reads: bool) -> Json:
    """``reads``: what may be left out, or null, is what has a default."""
    shape = _object(kind, reads=reads)
    shape["properties"] = {"type": {"const": kind.type}, **shape["properties"]}
    shape["required"] = ["type", *shape["required"]]
    return shape


def _event(kind: Any) -> Json:
    shape = _message(kind, reads=False)
    shape["required"] = [name for name in shape["required"] if name not in events.OMITTED_WHEN_EMPTY]
    shape["properties"]["seq"] = {"type": "integer", "minimum": 1}
    shape["required"].append("seq")
    return shape


def _object(kind: Any, *, reads: bool) -> Json:
    hints = get_type_hints(kind)
    properties: Json = {}
    required = []
    for each in fields(kind):
        name = str(each.metadata.get("name", each.name))
        properties[name] = _NARROWED.get((kind, each.name)) or _shape(hints[each.name], reads=reads)
        if reads and _has_default(each) and "anyOf" not in properties[name]:
            properties[name] = _or_null(properties[name])
        if not reads or each.metadata.get("required") or not _has_default(each):
            required.append(name)
    return {"type": "object", "properties": properties, "required": required}


def _has_default(each: Field[Any]) -> bool:
    given = each.default is not MISSING or each.default_factory is not MISSING
    return given and not each.metadata.get("required")


def _or_null(shape: Json) -> Json:
    nothing = "null" in str(shape.get("type", "")) or "oneOf" in shape or shape == {}
    return shape if nothing else {"anyOf": [shape, {"type": "null"}]}


def _shape(hint: Any, *, reads: bool) -> Json:
    if hint in _PLAIN:
        return dict(_PLAIN[hint])
    if is_dataclass(hint):
        return _object(hint, reads=reads)
    origin, of = get_origin(hint), get_args(hint)
    if origin is Literal:
        return {"enum": list(of)}
    if origin in (Union, types.UnionType):
        return {"anyOf": [_shape(each, reads=reads) for each in of]}
    if origin is tuple:
        return {"type": "array", "items": _shape(of[0], reads=reads)}
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _shape(of[1], reads=reads)}
    raise TypeError(f"no schema for {hint!r}")


def main() -> None:
    DOCUMENT.write_text(json.dumps(document(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
