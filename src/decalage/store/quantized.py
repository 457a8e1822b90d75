"""Whisper models prepared for ONNX Runtime: made once from CTranslate2's files, kept in the cache."""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
import shutil
from pathlib import Path

import numpy as np

from decalage.errors import MissingPartError, ModelDamagedError, brief, one_line
from decalage.store.files import cache_folder, publish, verify_published, whole_folder
from decalage.store.graphs import Following, decoder_graph, encoder_graph
from decalage.store.products import signed_weights_are_exact
from decalage.store.weights import UnreadableWeightsError, Weights, read_weights

logger = logging.getLogger(__name__)

_FORM = 5
"""Raised when the graphs change: what was prepared before is not used then."""
_MADE = "made.json"
"""In which form, and of which model."""


def find_quantized(folder: Path) -> Path:
    """What was prepared from the Whisper model in ``folder``; prepared now, in seconds, the first time.

    Raises ``UnreadableWeightsError`` for a model this cannot be made from, ``ModelMissingError``
    where the cache cannot be written, ``ModelDamagedError`` for a damaged copy that stays.
    """
    signed = signed_weights_are_exact()
    target = cache_folder() / f"int8-{folder.name}-{_fingerprint(folder / 'model.bin', signed=signed)}"
    if target.is_dir() and not _is_whole(target):
        _discard(target)
    if not target.is_dir():
        prepare(folder, target, signed=signed)
        _sweep(folder)
    return target


def prepare(folder: Path, target: Path, *, signed: bool) -> None:
    """Make ``target`` of the model in ``folder``, whole or not at all. Raises as ``find_quantized``."""
    logger.info("preparing %s for this machine, once", folder.name)
    try:
        import onnx  # noqa: F401, PLC0415 - told here rather than in the middle of the work
    except ImportError as error:
        raise MissingPartError("onnx is not installed: python -m pip install onnx") from error
    weights = read_weights(folder / "model.bin")
    with whole_folder(target) as temporary:
        try:
            with np.errstate(over="raise", divide="raise", invalid="raise"):
                _write(temporary, weights, _following(folder, weights), signed=signed)
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:  # shapes that no Whisper has
            told = one_line(error)
            raise UnreadableWeightsError(f"{folder / 'model.bin'} is no Whisper model: {told}") from error
        (temporary / _MADE).write_text(json.dumps({"form": _FORM, "model": _place(folder)}), "utf-8")
        publish(temporary)


def _write(folder: Path, weights: Weights, following: Following, *, signed: bool) -> None:
    """Everything of ``weights`` that is used."""
    for name, graph in (("encoder.onnx", encoder_graph), ("decoder.onnx", decoder_graph)):
        (folder / name).write_bytes(graph(weights, following, signed=signed).SerializeToString())
    np.save(folder / "embeddings.npy", weights.floats("decoder/embeddings/weight").astype(np.float16))
    np.save(folder / "positions.npy", weights.floats("decoder/position_encodings/encodings"))


def _following(folder: Path, weights: Weights) -> Following:
    """The heads that ``config.json`` names, else all of the upper half of the decoder's layers."""
    try:
        named = json.loads((folder / "config.json").read_text("utf-8")).get("alignment_heads") or []
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        told = f"{folder / 'config.json'} cannot be read: {error}; copy it there again"
        raise UnreadableWeightsError(told) from error
    layers, heads = weights.layers("decoder"), weights.number("decoder/num_heads")
    if not named:
        named = [(layer, head) for layer in range(layers // 2, layers) for head in range(heads)]
    following: dict[int, list[int]] = {}
    for layer, head in named:
        if layer not in range(layers) or head not in range(heads):
            raise UnreadableWeightsError(f"the model has no head {brief(head)} in layer {brief(layer)}")
        following.setdefault(layer, []).append(head)
    return following


def _sweep(folder: Path) -> None:
    """Remove what an older program prepared from the model in ``folder``, as far as it says so."""
    for other in cache_folder().glob("int8-*"):
        try:
            made = json.loads((other / _MADE).read_text("utf-8"))
        except (OSError, ValueError, RecursionError):
            continue
        if not isinstance(made, dict):
            continue
        if made.get("model") == _place(folder) and made.get("form") != _FORM:
            logger.info("removing %s, which an older version prepared", other)
            shutil.rmtree(other, ignore_errors=True)


def _place(folder: Path) -> str:
    return str((folder / "model.bin").resolve())


def _is_whole(target: Path) -> bool:
    """Whether every file is as it was written."""
    try:
        verify_published(target, "it is made again")
    except ModelDamagedError as error:
        logger.warning("what was prepared in %s is damaged: %s", target, error)
        return False
    return True


def _discard(target: Path) -> None:
    """Remove a damaged copy, but none that another process has put there meanwhile."""
    aside = target.with_name(f".{target.name}-{secrets.token_hex(4)}")
    try:
        target.rename(aside)
    except OSError as error:
        if target.is_dir():
            raise ModelDamagedError(
                f"{target} is damaged and cannot be removed: {error.strerror}; remove it by hand"
            ) from error
        return
    shutil.rmtree(aside, ignore_errors=True)


def _fingerprint(model: Path, *, signed: bool) -> str:
    """Of the file by its place, size and time of change, and of the form of what is made from it."""
    status = model.stat()
    told = f"{_FORM}:{signed}:{_place(model.parent)}:{status.st_size}:{status.st_mtime_ns}"
    return hashlib.sha256(told.encode()).hexdigest()[:8]
