"""Translation models of a few kilobytes that write the same words whatever they read."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
from ctranslate2.specs.common_spec import LayerNormSpec, LinearSpec
from tokenizers import Tokenizer
from tokenizers.decoders import Metaspace as Spaces
from tokenizers.models import Unigram
from tokenizers.pre_tokenizers import Metaspace

WIDTH = 16
SPECIAL = ("<unk>", "<s>", "</s>")


def opus(folder: Path, read: Sequence[str], written: Sequence[str]) -> Path:
    """As a converted OPUS-MT model: it knows the pieces ``read`` and writes ``written``."""
    _save(folder, [*SPECIAL, *read], [*written, "</s>"])
    (folder / "source.spm").write_bytes(_sentencepiece([*SPECIAL, *read]))
    (folder / "target.spm").write_bytes(b"not read")
    return folder


def nllb(folder: Path, read: Sequence[str], written: Sequence[str], languages: Sequence[str]) -> Path:
    """As a converted NLLB-200 model: its first token is the language that it is told to write."""
    _save(folder, [*SPECIAL, *languages, *read], [languages[0], *written, "</s>"])
    tokenizer = Tokenizer(Unigram([(piece, -1.0) for piece in [*SPECIAL, *read]], 0, byte_fallback=False))
    tokenizer.pre_tokenizer, tokenizer.decoder = Metaspace(), Spaces()
    tokenizer.add_special_tokens(list(languages))
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def _save(folder: Path, read: Sequence[str], written: Sequence[str]) -> None:
    """Token n of ``written`` comes at position n: all weights but those of positions are zero."""
    vocabulary = list(dict.fromkeys([*SPECIAL, *read, *written]))
    spec = ctranslate2.specs.TransformerSpec.from_config(1, 2)
    spec.config.add_source_eos = False
    for side in (spec.encoder, spec.decoder):
        side.scale_embeddings = False
        side.position_encodings.encodings = np.eye(WIDTH, dtype=np.float32)
        _zero(side.layer_norm)
        for layer in side.layer:
            _zero(layer.self_attention.layer_norm)
            _zero(layer.self_attention.linear[0], 3 * WIDTH)
            _zero(layer.self_attention.linear[1], WIDTH)
            _zero(layer.ffn.layer_norm)
            _zero(layer.ffn.linear_0, WIDTH)
            _zero(layer.ffn.linear_1, WIDTH)
    for layer in spec.decoder.layer:
        _zero(layer.attention.layer_norm)
        for linear, width in zip(layer.attention.linear, (WIDTH, 2 * WIDTH, WIDTH), strict=True):
            _zero(linear, width)
    nothing = np.zeros((len(vocabulary), WIDTH), np.float32)
    spec.encoder.embeddings[0].weight = nothing
    spec.decoder.embeddings.weight = nothing
    chosen = nothing.copy()
    for position, token in enumerate(written):
        chosen[vocabulary.index(token), position] = 1
    spec.decoder.projection.weight = chosen
    spec.register_source_vocabulary(vocabulary)
    spec.register_target_vocabulary(vocabulary)
    spec.validate()
    folder.mkdir(parents=True, exist_ok=True)
    spec.save(str(folder))
    assert json.loads((folder / "config.json").read_text("utf-8"))["add_source_eos"] is False


def _zero(part: Any, width: int = WIDTH) -> None:
    if isinstance(part, LayerNormSpec):
        part.gamma, part.beta = np.ones(width, np.float32), np.zeros(width, np.float32)
    elif isinstance(part, LinearSpec):
        part.weight, part.bias = np.zeros((width, WIDTH), np.float32), np.zeros(width, np.float32)


def _sentencepiece(pieces: Sequence[str]) -> bytes:
    """A ``ModelProto`` of ``pieces``, the first of them the unknown one."""
    whole = b""
    for number, piece in enumerate(pieces):
        text = piece.encode()
        body = b"\x0a" + bytes([len(text)]) + text + b"\x15" + struct.pack("<f", -1.0)
        body += b"\x18" + bytes([2 if number == 0 else 1])
        whole += b"\x0a" + bytes([len(body)]) + body
    return whole
