"""CTranslate2's model file read without the engine, and what is prepared from it."""

from __future__ import annotations

import errno
import json
import os
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

from decalage.errors import DecalageError, ModelDamagedError, ModelMissingError
from decalage.store import quantized
from decalage.store.files import cache_folder
from decalage.store.graphs import _Graph
from decalage.store.models import find_recognizer
from decalage.store.products import PROBE, WIDTH, signed_weights_are_exact
from decalage.store.quantized import find_quantized
from decalage.store.weights import UnreadableWeightsError, read_weights

FILES = {"encoder.onnx", "decoder.onnx", "embeddings.npy", "positions.npy", "made.json", "published.json"}
NUMBERS = {"float32": 0, "int8": 1, "int16": 2, "int32": 3, "float16": 4}

Require = Callable[[bool, str, str], None]

needs_exact = pytest.mark.skipif(
    not signed_weights_are_exact(), reason="products with signed bytes overflow on this processor"
)


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DECALAGE_CACHE", str(tmp_path / "cache"))


def text(word: str) -> bytes:
    return struct.pack("<H", len(word) + 1) + word.encode() + b"\0"


def model_file(
    arrays: Mapping[str, NDArray[Any]], aliases: Mapping[str, str] | None = None, version: int = 6
) -> bytes:
    """As ``ctranslate2/specs/model_spec.py`` writes it."""
    parts = [struct.pack("<I", version), text("WhisperSpec"), struct.pack("<II", 3, len(arrays))]
    for name, array in arrays.items():
        parts += [text(name), struct.pack("<B", array.ndim), struct.pack(f"<{array.ndim}I", *array.shape)]
        parts += [struct.pack("<BI", NUMBERS[array.dtype.name], array.nbytes), array.tobytes()]
    parts.append(struct.pack("<I", len(aliases or {})))
    parts += [text(alias) + text(name) for alias, name in (aliases or {}).items()]
    return b"".join(parts)


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_variables_are_read_as_they_were_written(tmp_path: Path) -> None:
    arrays: dict[str, NDArray[Any]] = {
        "a/weight": np.arange(6, dtype=np.float32).reshape(2, 3),
        "b/half": np.array([0.5, -2], np.float16),
        "heads": np.array(8, np.int16),
    }
    weights = read_weights(written(tmp_path / "model.bin", model_file(arrays, {"same": "b/half"})))
    assert weights.kind == "WhisperSpec"
    for name, array in arrays.items():
        np.testing.assert_array_equal(weights.arrays[name], array)
    assert weights.number("heads") == 8
    assert weights.floats("same").tolist() == [0.5, -2.0]
    assert weights.floats("same").dtype == np.float32


def test_eight_bit_weights_are_read_with_their_scale(tmp_path: Path) -> None:
    stored: dict[str, NDArray[Any]] = {
        "w": np.array([[10, -20], [30, 127]], np.int8),
        "w_scale": np.array([10, 100], np.float32),
    }
    weights = read_weights(written(tmp_path / "model.bin", model_file(stored)))
    np.testing.assert_allclose(weights.floats("w"), np.array([[1, -2], [0.3, 1.27]]), rtol=1e-6)


def test_sixteen_bit_weights_are_read_with_the_scale_of_all(tmp_path: Path) -> None:
    stored: dict[str, NDArray[Any]] = {
        "w": np.array([[512, -1024], [256, 0]], np.int16),
        "w_scale": np.array(512, np.float32),
    }
    weights = read_weights(written(tmp_path / "model.bin", model_file(stored)))
    np.testing.assert_allclose(weights.floats("w"), np.array([[1, -2], [0.5, 0]]), rtol=1e-6)


def test_weights_are_signed_where_the_largest_products_with_them_are_exact() -> None:
    helper, types = onnx.helper, onnx.TensorProto
    filled = helper.make_node(
        "ConstantOfShape", ["shape"], ["w"], value=helper.make_tensor("v", types.INT8, [1], [127])
    )
    graph = helper.make_graph(
        [filled, helper.make_node("MatMulInteger", ["x", "w"], ["y"])],
        "products",
        [helper.make_tensor_value_info("x", types.UINT8, ["n", WIDTH])],
        [helper.make_tensor_value_info("y", types.INT32, ["n", 32])],
        [helper.make_tensor("shape", types.INT64, [2], [WIDTH, 32])],
    )
    assert onnx.load_from_string(PROBE).graph == graph
    assert onnxruntime.InferenceSession(PROBE).get_inputs()[0].shape == ["n", WIDTH]


@pytest.mark.parametrize("signed", [False, pytest.param(True, marks=needs_exact)], ids=["unsigned", "signed"])
def test_the_loudest_sounds_through_the_largest_weights_do_not_overflow(tmp_path: Path, signed: bool) -> None:
    random = np.random.default_rng(5)
    matrix = random.choice([-1.0, 1.0], (64, 512)).astype(np.float32)
    arrays: dict[str, NDArray[Any]] = {
        "decoder/num_heads": np.array(8, np.int16),
        "decoder/embeddings/weight": np.zeros((1, 512), np.float32),
        "here/weight": matrix,
    }
    graph = _Graph(read_weights(written(tmp_path / "model.bin", model_file(arrays))), signed=signed)
    graph.input("x", ["rows", 512])
    graph.output("y", graph.linear("x", "here", bias=False))
    session = onnxruntime.InferenceSession(graph.model().SerializeToString())
    x = random.choice([-3.0, 3.0], (40, 512)).astype(np.float32)
    np.testing.assert_allclose(session.run(None, {"x": x})[0], x @ matrix.T, atol=1e-2)


def test_layers_are_counted_and_the_norm_after_them_is_none(tmp_path: Path) -> None:
    one = np.zeros(1, np.float32)
    names = ["encoder/layer_0/x", "encoder/layer_1/x", "encoder/layer_1/y", "encoder/layer_norm/gamma"]
    weights = read_weights(written(tmp_path / "model.bin", model_file(dict.fromkeys(names, one))))
    assert (weights.layers("encoder"), weights.layers("decoder")) == (2, 0)


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda _: b"not a model",
        lambda data: data[: len(data) // 2],
        lambda data: data[:-3],
        lambda data: b"\xff" * len(data),
        lambda data: struct.pack("<I", 5) + data[4:],
    ],
    ids=["empty", "text", "half", "short by three", "ones", "older"],
)
def test_what_is_no_whole_model_is_refused_in_one_line(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    data = model_file({"a": np.zeros((4, 4), np.float32)}, {"b": "a"})
    with pytest.raises(UnreadableWeightsError, match=r"model\.bin is no CTranslate2 model") as told:
        read_weights(written(tmp_path / "model.bin", damage(data)))
    assert "\n" not in str(told.value)


def test_weights_only_the_engine_reads_are_refused(tmp_path: Path) -> None:
    data = model_file({"a": np.zeros(4, np.float16)})
    at = data.index(b"a\0") + 2 + 1 + 4
    with pytest.raises(UnreadableWeightsError, match="a has weights of type 5"):
        read_weights(written(tmp_path / "model.bin", data[:at] + b"\x05" + data[at + 1 :]))


def test_a_model_that_is_no_whisper_is_refused(tmp_path: Path) -> None:
    written(tmp_path / "model.bin", model_file({"encoder/num_heads": np.array(8, np.int16)}))
    with pytest.raises(UnreadableWeightsError):
        find_quantized(tmp_path)
    assert not list(cache_folder().iterdir())


@pytest.fixture
def tiny_en(require: Require) -> Path:
    try:
        return find_recognizer("tiny.en", offline=True)
    except DecalageError as error:
        require(False, "model tiny.en", str(error))
        raise


def prepared(folder: Path) -> dict[str, float]:
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


@pytest.mark.real
def test_a_model_is_prepared_once(tiny_en: Path) -> None:
    folder = find_quantized(tiny_en)
    before = prepared(folder)
    assert set(before) == FILES
    assert find_quantized(tiny_en) == folder
    assert prepared(folder) == before
    assert [path.name for path in cache_folder().iterdir() if path.is_dir()] == [folder.name]


@pytest.mark.real
def test_processors_that_multiply_differently_have_copies_of_their_own(
    tiny_en: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = []
    for exact in (True, False):
        monkeypatch.setattr(quantized, "signed_weights_are_exact", lambda exact=exact: exact)
        folders.append(find_quantized(tiny_en))
    kinds = [onnx.load(folder / "decoder.onnx").graph.initializer for folder in folders]
    assert [
        {numpy_helper.to_array(each).dtype.name for each in kind if each.name.endswith("/levels")}
        for kind in kinds
    ] == [{"int8"}, {"uint8"}]


@pytest.mark.real
def test_what_an_older_version_prepared_from_the_model_is_removed(
    tiny_en: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = quantized._FORM
    monkeypatch.setattr(quantized, "_FORM", new - 1)
    old = find_quantized(tiny_en)
    others = cache_folder() / "int8-other-01234567"
    others.mkdir()
    monkeypatch.setattr(quantized, "_FORM", new)
    found = find_quantized(tiny_en)
    assert {path for path in cache_folder().iterdir() if path.is_dir()} == {found, others}
    assert old != found


@pytest.mark.real
def test_what_was_damaged_since_is_prepared_again(tiny_en: Path) -> None:
    folder = find_quantized(tiny_en)
    published = json.loads((folder / "published.json").read_text("utf-8"))
    whole = (folder / "decoder.onnx").read_bytes()
    (folder / "decoder.onnx").write_bytes(whole[: len(whole) // 2])
    assert find_quantized(tiny_en) == folder
    assert (folder / "decoder.onnx").read_bytes() == whole
    assert json.loads((folder / "published.json").read_text("utf-8")) == published


@pytest.mark.real
def test_what_was_prepared_is_for_all_who_may_read_the_cache(tiny_en: Path) -> None:
    folder = find_quantized(tiny_en)
    (folder.parent / "other").mkdir(mode=0o755)
    assert folder.stat().st_mode == (folder.parent / "other").stat().st_mode


@pytest.mark.real
def test_a_damaged_copy_that_cannot_be_removed_is_not_used(
    tiny_en: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = find_quantized(tiny_en)
    (folder / "decoder.onnx").write_bytes(b"")

    def refused(path: Path, _target: Path) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    monkeypatch.setattr(Path, "rename", refused)
    with pytest.raises(ModelDamagedError, match="remove it by hand"):
        find_quantized(tiny_en)


@pytest.mark.real
def test_another_model_in_the_same_place_is_prepared_anew(tiny_en: Path, tmp_path: Path) -> None:
    place = tmp_path / "mine"
    place.mkdir()
    for name in ("model.bin", "config.json"):
        (place / name).write_bytes((tiny_en / name).read_bytes())
    first = find_quantized(place)
    os.utime(place / "model.bin", ns=(1, 1))
    assert find_quantized(place) != first


@pytest.mark.real
def test_a_cache_that_cannot_be_written_is_told(
    tiny_en: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DECALAGE_CACHE", str(tmp_path / "file"))
    with pytest.raises(ModelMissingError, match="set DECALAGE_CACHE"):
        find_quantized(tiny_en)


@pytest.mark.real
def test_matrices_differ_from_the_models_by_half_a_level_at_most(tiny_en: Path) -> None:
    weights = read_weights(tiny_en / "model.bin")
    graph = onnx.load(find_quantized(tiny_en) / "decoder.onnx").graph
    held = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    for name in ("decoder/projection", "decoder/layer_1/ffn/linear_0"):
        levels = held[f"{name}/levels"].astype(np.float32) - held["zero weight"]
        scale = held[f"{name}/scale"]
        error = np.abs((levels * scale).T - weights.floats(f"{name}/weight"))
        assert (error <= 0.501 * scale[:, None]).all()
