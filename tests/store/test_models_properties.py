"""Files of models that are not what they should be: refused in one line that says so, nothing half-made."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from decalage.errors import ModelDamagedError, ModelMissingError, UnsupportedPairError
from decalage.store.files import verify_published
from decalage.store.firefox import chosen_files
from decalage.store.marian import wanted
from decalage.store.models import recognizer_languages
from decalage.store.quantized import prepare
from decalage.store.sentencepiece import tokenizer_json
from decalage.store.weights import UnreadableWeightsError, read_weights
from scripts.fuzz.model_bytes import model_file, proto_field, tiny_whisper
from tests.properties import raised

DEEP = "[" * 5000
UNKNOWN = proto_field(1, 2, proto_field(1, 2, b"<unk>") + proto_field(3, 0, b"\2"))


def piece(text: bytes, score: float) -> bytes:
    return proto_field(1, 2, proto_field(1, 2, text) + proto_field(2, 5, struct.pack("<f", score)))


@given(
    st.lists(st.tuples(st.text(max_size=5), st.floats(-20, 0, width=32)), max_size=8), st.binary(max_size=9)
)
def test_a_vocabulary_is_read_piece_by_piece(pieces: list[tuple[str, float]], charsmap: bytes) -> None:
    model = UNKNOWN + b"".join(piece(text.encode(), score) for text, score in pieces)
    made = tokenizer_json(model + proto_field(3, 2, proto_field(2, 2, charsmap)))
    assert made["model"]["vocab"] == [["<unk>", 0.0], *([text, score] for text, score in pieces)]
    assert made["model"]["unk_id"] == 0
    json.dumps(made, allow_nan=False)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_vocabulary_or_none(model: bytes) -> None:
    raised(ModelDamagedError, lambda: tokenizer_json(model))
    raised(ModelDamagedError, lambda: tokenizer_json(UNKNOWN + model))


@pytest.mark.parametrize(
    "model",
    [
        UNKNOWN + proto_field(1, 2, proto_field(1, 0, b"\5")),
        UNKNOWN + proto_field(3, 2, proto_field(2, 0, b"\5")),
        UNKNOWN + piece(b"a", float("nan")),
        UNKNOWN + piece(b"a", float("inf")),
        UNKNOWN + piece(b"\xff", 0.0),
        UNKNOWN + b"\x08" + b"\xff" * 1_000_000,
        UNKNOWN + b"\x0a\x05abc",
    ],
    ids=["text is a number", "map is a number", "nan", "infinite", "no UTF-8", "endless number", "cut off"],
)
def test_what_is_no_vocabulary_is_told_as_such(model: bytes) -> None:
    with pytest.raises(ModelDamagedError, match="is no SentencePiece model"):
        tokenizer_json(model)


def folder_of(root: Path, arrays: Mapping[str, NDArray[Any]], config: str = "{}") -> Path:
    folder = root / "whisper"
    folder.mkdir()
    (folder / "model.bin").write_bytes(model_file(arrays, {}))
    (folder / "config.json").write_text(config)
    return folder


def test_a_whisper_of_a_few_numbers_is_prepared(tmp_path: Path) -> None:
    prepare(folder_of(tmp_path, tiny_whisper()), tmp_path / "made", signed=False)
    assert (tmp_path / "made" / "decoder.onnx").is_file()


ODD: list[tuple[str, NDArray[Any]]] = [
    ("decoder/num_heads", np.zeros((2, 2), np.float32)),
    ("decoder/num_heads", np.array(np.nan, np.float32)),
    ("decoder/num_heads", np.array(0, np.int16)),
    ("decoder/embeddings/weight", np.array(1.0, np.float32)),
    ("decoder/projection/weight", np.full((3, 4), np.inf, np.float32)),
    ("encoder/conv1/weight", np.ones(4, np.float32)),
    ("encoder/layer_0/ffn/linear_0/weight", np.ones((8, 4), np.int8)),
]


@pytest.mark.parametrize(("name", "array"), ODD)
def test_variables_that_no_whisper_has_are_refused_and_leave_nothing(
    tmp_path: Path, name: str, array: NDArray[Any]
) -> None:
    folder = folder_of(tmp_path, {**tiny_whisper(), name: array})
    with pytest.raises(UnreadableWeightsError) as told:
        prepare(folder, tmp_path / "made", signed=False)
    assert "\n" not in str(told.value)
    assert [path.name for path in tmp_path.iterdir()] == ["whisper"]


@pytest.mark.parametrize(
    "scale", [np.zeros(2), np.full(2, 1e-38), np.array([1.0, np.nan]), np.ones(3), np.array([-1.0, 1.0])]
)
def test_a_scale_that_is_none_is_told(tmp_path: Path, scale: NDArray[Any]) -> None:
    arrays: dict[str, NDArray[Any]] = {"w": np.ones((2, 2), np.int8), "w_scale": scale.astype(np.float32)}
    (tmp_path / "model.bin").write_bytes(model_file(arrays, {}))
    weights = read_weights(tmp_path / "model.bin")
    with pytest.raises(UnreadableWeightsError, match="the scale of w in the model file is none"):
        weights.floats("w")


@pytest.mark.parametrize(
    "heads", ["5", "[1]", "[[0]]", '[["0", 1]]', "[[0, 9]]", "[[7, 0]]", "[[true, []]]", DEEP]
)
def test_heads_that_a_model_does_not_have_are_refused(tmp_path: Path, heads: str) -> None:
    folder = folder_of(tmp_path, tiny_whisper(), f'{{"alignment_heads": {heads}}}')
    with pytest.raises(UnreadableWeightsError) as told:
        prepare(folder, tmp_path / "made", signed=False)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("config", "tokenizer"),
    [
        (DEEP, '{"added_tokens": []}'),
        ('{"lang_ids": [1]}', '{"added_tokens": [5]}'),
        ('{"lang_ids": [1]}', '{"added_tokens": [{"id": 1}]}'),
        ('{"lang_ids": [1]}', '{"added_tokens": [{"id": 1, "content": 5}]}'),
        ('{"lang_ids": 5}', '{"added_tokens": []}'),
        ('{"lang_ids": [[]]}', '{"added_tokens": []}'),
    ],
)
def test_a_whisper_that_does_not_say_what_it_hears_is_refused(
    tmp_path: Path, config: str, tokenizer: str
) -> None:
    (tmp_path / "vocabulary.txt").write_bytes(b"\n" * 51_865)
    (tmp_path / "config.json").write_text(config)
    (tmp_path / "tokenizer.json").write_text(tokenizer)
    with pytest.raises(ModelDamagedError, match="is no readable Whisper model"):
        recognizer_languages(tmp_path)


RECORD = {
    "fromLang": "en",
    "toLang": "es",
    "version": "1.0",
    "fileType": "model",
    "name": "model.bin",
    "attachment": {"location": "/x", "hash": "0"},
}
RECORDS = [{**RECORD, "fileType": kind, "name": f"{kind}.bin"} for kind in ("model", "lex", "vocab")]


def test_the_newest_of_each_kind_is_chosen() -> None:
    newer = {**RECORD, "version": "1.10a1", "name": "newer.bin"}
    for records in ([*RECORDS, newer], [newer, *RECORDS]):
        names = [file.name for file in chosen_files({"data": records}, "en", "es")]
        assert names == ["lex.bin", "newer.bin", "vocab.bin"]
    with pytest.raises(UnsupportedPairError, match="it has en→es"):
        chosen_files({"data": RECORDS}, "en", "pt")
    with pytest.raises(UnsupportedPairError, match="separate vocabularies"):
        chosen_files({"data": RECORDS[:2]}, "en", "es")


@pytest.mark.parametrize(
    "change",
    [
        {"version": 5},
        {"version": "9" * 5000},
        {"fileType": []},
        {"fromLang": None},
        {"name": 5},
        {"name": ".."},
        {"name": "x/.."},
        {"name": ""},
        {"name": "a\0b"},
        {"attachment": "none"},
        {"attachment": {"location": 5, "hash": "0"}},
        {"attachment": {"location": "/x"}},
    ],
)
def test_a_server_whose_records_are_none_is_told_as_such(change: dict[str, object]) -> None:
    with pytest.raises(ModelMissingError, match="does not answer as a model server"):
        chosen_files({"data": [{**RECORDS[0], **change}, *RECORDS[1:]]}, "en", "es")


def test_what_is_no_list_of_records_is_told_as_such() -> None:
    answers: list[object] = [None, 5, [], {}, {"data": 5}, {"data": ["x"]}, {"data": {"a": 1}}]
    for answer in answers:
        with pytest.raises(ModelMissingError, match="does not answer as a model server"):
            chosen_files(answer, "en", "es")


def test_digits_of_other_scripts_are_no_version() -> None:
    found = chosen_files({"data": [{**RECORD, "version": "²"}, *RECORDS]}, "en", "es")
    assert [file.kind for file in found] == ["lex", "model", "vocab"]


@pytest.mark.parametrize(
    "note", ["null", "5", "[]", '"x"', DEEP, '{"../x": "0"}', '{"a\\u0000": "0"}', '{"x": 5}']
)
def test_a_note_of_hashes_that_is_none_is_mended_by_the_command(tmp_path: Path, note: str) -> None:
    (tmp_path / "x").write_bytes(b"")
    (tmp_path / "published.json").write_text(note)
    with pytest.raises(ModelDamagedError, match="mend it"):
        verify_published(tmp_path, "mend it")


@pytest.mark.parametrize("made", ["null", "[]", DEEP, '{"from": null}', "{"])
def test_where_a_model_came_from_need_not_be_known_to_mend_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: str
) -> None:
    monkeypatch.setenv("DECALAGE_CACHE", str(tmp_path))
    model = wanted("opus:en-de")
    assert model is not None
    model.folder.mkdir(parents=True)
    (model.folder / "made.json").write_text(made)
    assert model.mend() == "decalage models add opus:en-de --again"
