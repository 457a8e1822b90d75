"""Files of models, as they come from a hub or a server, or as a person names them."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decalage.errors import MissingPartError, ModelDamagedError, ModelMissingError, UnsupportedPairError
from decalage.store.files import verify_published
from decalage.store.firefox import chosen_files
from decalage.store.models import recognizer_languages
from decalage.store.quantized import prepare
from decalage.store.sentencepiece import tokenizer_json
from decalage.store.weights import UnreadableWeightsError, read_weights
from scripts.fuzz.choices import Choices, hold, written
from scripts.fuzz.model_bytes import NUMBERS, model_file, proto_field, tiny_whisper, varint
from scripts.fuzz.target import Target


def _piece(choices: Choices) -> bytes:
    """Fields of a piece of a vocabulary, some not as they should be."""
    said = b""
    for _ in range(1 + choices.below(4)):
        number, kind = choices.below(4), choices.pick((0, 2, 5, 1, 3))
        value = varint(choices.below(65_536)) if kind == 0 else choices.taken({5: 4, 1: 8}.get(kind, 6))
        said += proto_field(number, kind, value)
    return said


def _vocabulary(choices: Choices) -> bytes:
    model = b""
    for _ in range(choices.below(8)):
        what = choices.below(4)
        if what == 0:
            model += proto_field(
                1,
                2,
                proto_field(1, 2, choices.taken(4)) + proto_field(2, 5, choices.taken(4).ljust(4, b"\0")),
            )
        elif what == 1:
            model += proto_field(1, 2, proto_field(1, 2, b"<unk>") + proto_field(3, 0, b"\2"))
        elif what == 2:
            model += proto_field(choices.pick((1, 3)), 2, _piece(choices))
        else:
            model += _piece(choices)
    return model


def vocabulary(data: bytes) -> None:
    """A SentencePiece model: a tokenizer that is JSON and no larger than it, or refused."""
    choices = Choices(data)
    model = _vocabulary(choices) if choices.below(2) else choices.rest()
    if choices.below(16) == 1:
        model += b"\x08" + b"\xff" * 3_000
    try:
        made = tokenizer_json(model)
    except ModelDamagedError:
        return
    body = json.dumps(made, allow_nan=False)
    hold(len(body) <= 1_000 + 40 * len(model), f"{len(body)} letters of {len(model)} bytes")
    pieces = made["model"]["vocab"]
    hold(0 <= made["model"]["unk_id"] < len(pieces) <= len(model), made["model"])
    hold(all(isinstance(text, str) and isinstance(score, float) for text, score in pieces), pieces)


_SMALL = model_file(
    {
        "w": np.array([[10, -20], [30, 127]], np.int8),
        "w_scale": np.ones(2, np.float32),
        "n": np.array(8, np.int16),
    },
    {"same": "w"},
)


def weights(data: bytes) -> None:
    """A CTranslate2 model file: arrays no larger than the file, all readable as numbers, or refused."""
    with TemporaryDirectory(prefix="fuzz-") as folder:
        path = Path(folder) / "model.bin"
        path.write_bytes(data)
        try:
            found = read_weights(path)
        except UnreadableWeightsError as error:
            hold("\n" not in str(error), error)
            return
        distinct = {id(array): array.nbytes for array in found.arrays.values()}
        hold(sum(distinct.values()) <= len(data), f"{distinct} of {len(data)} bytes")
        for name in found.arrays:
            with suppress(UnreadableWeightsError):
                hold(found.floats(name).dtype == np.float32, name)
            with suppress(UnreadableWeightsError):
                hold(isinstance(found.number(name), int), name)
        hold(found.layers("encoder") <= len(found.arrays), found)


_SHAPES = ((), (1,), (0,), (4,), (2, 2), (4, 0), (4, 4), (1, 1, 3), (2, 3, 4, 5), (0, 4))
_CONFIGS: tuple[dict[str, Any], ...] = (
    {},
    {"alignment_heads": [[0, 1], [0, 0]]},
    {"alignment_heads": [[3, 9]]},
)
_CONFIG_WORDS = (
    "alignment_heads",
    "lang_ids",
    "added_tokens",
    "id",
    "content",
    "<|en|>",
    "from",
    "encoder.onnx",
)


def _odd_array(choices: Choices) -> NDArray[Any]:
    kind = choices.pick(tuple(NUMBERS))
    fill = choices.pick((0, 1, -1, 2, 100, 127))
    return np.full(choices.pick(_SHAPES), fill).astype(kind)


def whisper(data: bytes) -> None:
    """A Whisper model with odd variables and an odd config.json: prepared, or refused in one line."""
    choices = Choices(data)
    arrays = dict(tiny_whisper())
    for _ in range(choices.below(4)):
        name = choices.pick(sorted(arrays))
        if choices.below(2):
            arrays[name] = _odd_array(choices)
        elif len(arrays) > 1:
            del arrays[name]
    if not choices.below(8):
        arrays[f"decoder/layer_{choices.below(256)}/x"] = _odd_array(choices)
    config = written(choices.changed(_CONFIGS, _CONFIG_WORDS))
    with TemporaryDirectory(prefix="fuzz-") as root:
        folder = Path(root) / "whisper"
        folder.mkdir()
        (folder / "model.bin").write_bytes(model_file(arrays, {}, "WhisperSpec"))
        (folder / "config.json").write_text(config, "utf-8")
        try:
            prepare(folder, Path(root) / "prepared", signed=choices.below(2) == 1)
        except MissingPartError as error:
            hold(isinstance(error, UnreadableWeightsError) and "\n" not in str(error), error)
            hold(not (Path(root) / "prepared").exists(), "half of it stays")


_TOKENS = {"added_tokens": [{"id": 50_259, "content": "<|en|>"}, {"id": 50_260, "content": "<|zh|>"}]}
_LANGUAGES = {"lang_ids": [50_259, 50_260]}


def whisper_folder(data: bytes) -> None:
    """What a Whisper's folder says it hears: codes in order, or refused."""
    choices = Choices(data)
    with TemporaryDirectory(prefix="fuzz-") as root:
        folder = Path(root)
        (folder / "tokenizer.json").write_text(written(choices.changed((_TOKENS,), _CONFIG_WORDS)), "utf-8")
        (folder / "config.json").write_text(written(choices.changed((_LANGUAGES,), _CONFIG_WORDS)), "utf-8")
        if choices.below(2):
            (folder / "vocabulary.json").write_bytes(choices.rest())
        else:
            (folder / "vocabulary.txt").write_bytes(b"\n" * 51_865)
        with suppress(ModelDamagedError):
            found = recognizer_languages(folder)
            hold(found == sorted(found) and all(isinstance(code, str) for code in found), found)


_HASH = "0" * 64
_RECORD = {"fromLang": "en", "toLang": "es", "version": "1.0", "fileType": "model", "name": "model.bin"}
_ATTACHED = {"attachment": {"location": "/files/x", "hash": _HASH}}
_ANSWER = {
    "data": [
        {**_RECORD, **_ATTACHED},
        {**_RECORD, **_ATTACHED, "version": "2.0a1"},
        {**_RECORD, **_ATTACHED, "fileType": "lex", "name": "lex.bin"},
        {**_RECORD, **_ATTACHED, "fileType": "vocab", "name": "vocab.spm"},
        {**_RECORD, **_ATTACHED, "toLang": "pt"},
    ]
}
_RECORD_WORDS = (
    "data",
    *_RECORD,
    *_RECORD.values(),
    "attachment",
    "location",
    "hash",
    "..",
    "../x",
    "vocab",
    "1.²",
)


def firefox(data: bytes) -> None:
    """A server's list of models: one file of each kind, whose name stays in its folder, or refused."""
    choices = Choices(data)
    try:
        body = json.loads(written(choices.changed((_ANSWER,), _RECORD_WORDS)))
        found = chosen_files(body, "en", "es")
    except RecursionError:  # the interpreter's own reader
        return
    except (ModelMissingError, UnsupportedPairError):
        return
    hold(sorted(file.kind for file in found) == ["lex", "model", "vocab"], found)
    for file in found:
        hold(Path(file.name).name == file.name and file.name not in ("", ".."), file)
        hold(
            "\0" not in file.name and all(isinstance(each, str) for each in (file.location, file.sha256)),
            file,
        )


_PUBLISHED = {"model.bin": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "x": _HASH}


def published(data: bytes) -> None:
    """The note of what a model's files were: they are those, or refused with the command that mends it."""
    choices = Choices(data)
    text = choices.document((_PUBLISHED,), (*_PUBLISHED, *_PUBLISHED.values(), "../x", "a\0b", "x" * 300))
    with TemporaryDirectory(prefix="fuzz-") as root:
        folder = Path(root)
        (folder / "published.json").write_text(text, "utf-8")
        (folder / "model.bin").write_bytes(b"")
        try:
            verify_published(folder, "mend it")
        except ModelDamagedError as error:
            hold("mend it" in str(error) and "\n" not in str(error), error)
            return
    hold(isinstance(json.loads(text), dict), text)


TARGETS = (
    Target(
        "vocabulary",
        vocabulary,
        (
            b"\0"
            + proto_field(1, 2, proto_field(1, 2, b"<unk>") + proto_field(3, 0, b"\2"))
            + proto_field(3, 2, proto_field(2, 2, b"map")),
            b"\1\3\0abcd\0\0\0\0\1\2\1\2\1\1\5hello",
        ),
        longest=512,
    ),
    Target("weights", weights, (_SMALL, model_file({"a": np.zeros((2, 0), np.float16)}, {})), longest=512),
    Target("whisper", whisper, (b"\0\1", b"\1\5\1\2\1\3", b"\2\7\0\11\1\3\4\1\1\1\2\1"), longest=128),
    Target("whisper-folder", whisper_folder, (b"\0\0\0\0\0", b"\0\1\1\6\0\0\1[1]"), longest=256),
    Target("firefox-records", firefox, (b"\0\0", b"\0\1\0\3\2\1"), longest=256),
    Target("published", published, (b"\1\0\0", b"\1\0\1\1\4\3", b"\0{}"), longest=256),
)
