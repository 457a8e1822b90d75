"""A SentencePiece unigram vocabulary as the ``tokenizer.json`` that the translation engine reads.

Firefox ships its vocabularies as SentencePiece models (a protocol buffer, ``sentencepiece_model.proto``);
the engine wants the same pieces, scores and normalization in the format of Hugging Face's tokenizers.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from math import isfinite
from typing import Any

from decalage.errors import ModelDamagedError

_PIECE, _NORMALIZER = 1, 3
"""Fields of ModelProto."""
_UNKNOWN = 2
"""Value of SentencePiece.type for the unknown piece."""
_VARINT_BYTES = 10
_METASPACE = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}


def tokenizer_json(model: bytes) -> dict[str, Any]:
    """The ``tokenizer.json`` body of a serialized SentencePiece unigram ``model``.

    Raises ``ModelDamagedError`` when it is no such model.
    """
    vocabulary: list[list[Any]] = []
    unknown, charsmap = None, b""
    try:
        for number, value in _fields(model):
            if number == _PIECE:
                piece = dict(_fields(value))
                if piece.get(3) == _UNKNOWN:
                    unknown = len(vocabulary)
                vocabulary.append([piece[1].decode(), _score(piece.get(2, bytes(4)))])
            elif number == _NORMALIZER:
                charsmap = b"" + dict(_fields(value)).get(2, b"")  # a number raises TypeError
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, struct.error) as error:
        raise ModelDamagedError("the vocabulary is no SentencePiece model; add the model again") from error
    if unknown is None:
        raise ModelDamagedError("the vocabulary has no unknown piece; add the model again")
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": {"type": "Sequence", "normalizers": _normalizers(charsmap)},
        "pre_tokenizer": _METASPACE,
        "post_processor": None,
        "decoder": _METASPACE,
        "model": {"type": "Unigram", "unk_id": unknown, "vocab": vocabulary, "byte_fallback": False},
    }


def _score(value: bytes) -> float:
    (score,) = struct.unpack("<f", value)
    if not isfinite(score):
        raise ValueError(f"a score of {score}")
    return float(score)


def _normalizers(charsmap: bytes) -> list[dict[str, Any]]:
    spaces: list[dict[str, Any]] = [
        {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "},
        {"type": "Strip", "strip_left": True, "strip_right": True},
    ]
    if not charsmap:
        return spaces
    encoded = base64.b64encode(charsmap).decode()
    return [{"type": "Precompiled", "precompiled_charsmap": encoded}, *spaces]


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """(number, value) of each field: https://protobuf.dev/programming-guides/encoding."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        if kind not in (1, 2, 5):
            raise ValueError(f"wire type {kind}")
        length = {1: 8, 5: 4}.get(kind)
        if length is None:
            length, at = _varint(data, at)
        if at + length > len(data):
            raise ValueError("a field past the end")
        yield key >> 3, data[at : at + length]
        at += length


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """The number that begins at ``at``, and where the next thing begins."""
    result = 0
    for number in range(_VARINT_BYTES):
        byte = data[at + number]
        result |= (byte & 127) << 7 * number
        if byte < 128:
            return result, at + number + 1
    raise ValueError("a number of more than 64 bits")
