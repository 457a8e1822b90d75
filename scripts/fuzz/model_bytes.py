"""Small model files, written as their formats have it, for the fuzzer to spoil."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

NUMBERS = {"float32": 0, "int8": 1, "int16": 2, "int32": 3, "float16": 4}
"""CTranslate2's of the types."""
_WIDTH = 4


def varint(number: int) -> bytes:
    """As protocol buffers have it."""
    parts = []
    while number > 127:
        parts.append(number & 127 | 128)
        number >>= 7
    return bytes([*parts, number])


def proto_field(number: int, kind: int, value: bytes) -> bytes:
    """A field of a message."""
    return varint(number << 3 | kind) + (varint(len(value)) if kind == 2 else b"") + value


def _text(word: str) -> bytes:
    return struct.pack("<H", len(word.encode()) + 1) + word.encode() + b"\0"


def model_file(
    arrays: Mapping[str, NDArray[Any]], aliases: Mapping[str, str], kind: str = "WhisperSpec"
) -> bytes:
    """As ``ctranslate2/specs/model_spec.py`` writes it."""
    parts = [struct.pack("<I", 6), _text(kind), struct.pack("<II", 3, len(arrays))]
    for name, array in arrays.items():
        parts += [_text(name), struct.pack("<B", array.ndim), struct.pack(f"<{array.ndim}I", *array.shape)]
        parts += [struct.pack("<BI", NUMBERS[array.dtype.name], array.nbytes), array.tobytes()]
    parts.append(struct.pack("<I", len(aliases)))
    parts += [_text(alias) + _text(name) for alias, name in aliases.items()]
    return b"".join(parts)


@cache
def tiny_whisper() -> Mapping[str, NDArray[Any]]:
    """The variables of a Whisper of one layer, a few numbers wide."""
    arrays: dict[str, NDArray[Any]] = {
        "decoder/num_heads": np.array(2, np.int16),
        "decoder/activation": np.array(3, np.int8),
        "decoder/embeddings/weight": np.ones((3, _WIDTH), np.float32),
        "decoder/projection/weight": np.ones((3, _WIDTH), np.float32),
    }
    for part in ("encoder", "decoder"):
        arrays[f"{part}/position_encodings/encodings"] = np.ones((6, _WIDTH), np.float32)
        arrays.update(_norm(f"{part}/layer_norm"))
        arrays.update(_attention(f"{part}/layer_0/self_attention", (3, 1)))
        arrays.update(_norm(f"{part}/layer_0/ffn/layer_norm"))
        arrays.update(_linear(f"{part}/layer_0/ffn/linear_0", 8, _WIDTH))
        arrays.update(_linear(f"{part}/layer_0/ffn/linear_1", _WIDTH, 8))
    arrays.update(_attention("decoder/layer_0/attention", (1, 2, 1)))
    for number, inner in ((1, 2), (2, _WIDTH)):
        arrays[f"encoder/conv{number}/weight"] = np.ones((_WIDTH, inner, 3), np.float32)
        arrays[f"encoder/conv{number}/bias"] = np.zeros(_WIDTH, np.float32)
    return arrays


def _norm(scope: str) -> Iterator[tuple[str, NDArray[Any]]]:
    for name in ("gamma", "beta"):
        yield f"{scope}/{name}", np.ones(_WIDTH, np.float32)


def _linear(scope: str, out: int, inner: int) -> Iterator[tuple[str, NDArray[Any]]]:
    yield f"{scope}/weight", np.ones((out, inner), np.float32)
    yield f"{scope}/bias", np.zeros(out, np.float32)


def _attention(scope: str, widths: tuple[int, ...]) -> Iterator[tuple[str, NDArray[Any]]]:
    yield from _norm(f"{scope}/layer_norm")
    for number, times in enumerate(widths):
        yield from _linear(f"{scope}/linear_{number}", times * _WIDTH, _WIDTH)
