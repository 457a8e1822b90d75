"""OPUS-MT and NLLB-200 models converted for CTranslate2, from the hub.

::

    opus-en-de    one direction; its SentencePiece vocabulary becomes the tokenizer.json that is read
    nllb-600m     every language to every other; not for commercial use

The conversions are other people's, so a repository can be named, and a folder of one's own conversion too.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

from decalage.errors import ModelMissingError, UsageError
from decalage.languages import LANGUAGES, primary
from decalage.store.files import cache_folder, publish, verify_published, whole_folder
from decalage.store.hub import fetch, offline_by_environment
from decalage.store.sentencepiece import tokenizer_json

_OPUS, _NLLB = "opus", "nllb-600m"
_OPUS_REPOSITORY = "gaudi/opus-mt-{source}-{target}-ctranslate2"
_NLLB_REPOSITORY = "JustFrederik/nllb-200-distilled-600M-ct2-int8"
_MADE = "made.json"
"""Where it was taken from."""
_CONFIG, _WEIGHTS, _TOKENIZER, _VOCABULARY = "config.json", "model.bin", "tokenizer.json", "source.spm"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A model that ``models add`` can bring."""

    name: str
    """Of its folder in the cache."""
    repository: str
    files: tuple[str, ...]
    """Patterns of what is needed of it."""
    licence: str | None = None
    """What who uses it must know."""

    @property
    def folder(self) -> Path:
        return cache_folder() / self.name

    def mend(self) -> str:
        """The command that puts it right."""
        try:
            given = json.loads((self.folder / _MADE).read_text("utf-8"))["from"]
        except (OSError, ValueError, LookupError, TypeError, RecursionError):
            given = None
        where = f" --from {given}" if given else ""
        return f"decalage models add {self.name.replace('opus-', 'opus:')} --again{where}"


def wanted(name: str) -> Wanted | None:
    """What ``name`` is: ``opus:en-de`` or ``nllb-600m``; None: neither.

    Raises ``UsageError`` for a direction that is none.
    """
    if name == _NLLB:
        files = (_CONFIG, _WEIGHTS, _TOKENIZER, "shared_vocabulary.*")
        return Wanted(
            _NLLB, _NLLB_REPOSITORY, files, "NLLB-200 is for non-commercial use only (CC BY-NC 4.0)"
        )
    kind, colon, pair = name.partition(":")
    if kind != _OPUS or not colon:
        return None
    source, _, target = pair.partition("-")
    if not target:
        raise UsageError(f"{name} is no direction; write for example {_OPUS}:en-de")
    source, target = primary(source), primary(target)
    files = (_CONFIG, _WEIGHTS, _VOCABULARY, "*vocabulary.*")
    return Wanted(f"{_OPUS}-{source}-{target}", _OPUS_REPOSITORY.format(source=source, target=target), files)


def add(model: Wanted, given: str | None, *, again: bool) -> Path:
    """Bring ``model`` into the cache, whole or not at all; ``given``: another repository, or a folder.

    Raises ``ModelMissingError`` where it cannot be had, ``ModelDamagedError`` where it is no such model.
    """
    folder = model.folder
    if folder.is_dir() and not (again or given):
        return _verified(model)
    own = given is not None and Path(given).is_dir()
    if not own and offline_by_environment():
        raise ModelMissingError(f"{model.name} would have to be downloaded and offline is set")
    with whole_folder(folder, replace=True) as temporary:
        if own:
            _copy(Path(str(given)), temporary, model)
        else:
            fetch(given or model.repository, None, temporary, model.files, ["check the network"])
        _complete(temporary, model)
        made = str(Path(str(given)).absolute()) if own else given
        (temporary / _MADE).write_text(json.dumps({"from": made}), "utf-8")
    return folder


def find(source: str, target: str) -> Path | None:
    """The verified folder of a model in the cache that translates so, OPUS-MT first."""
    for model in _cached():
        if (source, target) in _pairs(model):
            return _verified(model)
    return None


def cached_pairs() -> Iterator[tuple[str, str]]:
    """The directions of the models in the cache."""
    for model in _cached():
        yield from _pairs(model)


def cached_names() -> list[str]:
    """The folders of the models in the cache."""
    return [model.name for model in _cached()]


def licence(name: str) -> str | None:
    """What who uses the model that ``models add`` calls ``name`` must know."""
    model = wanted(name)
    return None if model is None else model.licence


def _cached() -> list[Wanted]:
    folders = sorted(cache_folder().glob(f"{_OPUS}-*-*"))
    models = [wanted(folder.name.replace(f"{_OPUS}-", f"{_OPUS}:", 1)) for folder in folders]
    return [model for model in [*models, wanted(_NLLB)] if model is not None and model.folder.is_dir()]


def _pairs(model: Wanted) -> list[tuple[str, str]]:
    if model.name == _NLLB:
        return list(permutations([each.code for each in LANGUAGES.values() if each.nllb], 2))
    _, source, target = model.name.split("-")
    return [(source, target)]


def _verified(model: Wanted) -> Path:
    verify_published(model.folder, model.mend())
    return model.folder


def _copy(given: Path, temporary: Path, model: Wanted) -> None:
    for pattern in model.files:
        for path in given.glob(pattern):
            shutil.copyfile(path, temporary / path.name)


def _complete(folder: Path, model: Wanted) -> None:
    """Check that all is there, make what is read of what came, and note the hashes."""
    vocabulary = folder / _VOCABULARY
    if _VOCABULARY in model.files and vocabulary.is_file():
        body = json.dumps(tokenizer_json(vocabulary.read_bytes()), ensure_ascii=False)
        (folder / _TOKENIZER).write_text(body, "utf-8")
    missing = [name for name in (_CONFIG, _WEIGHTS, _TOKENIZER) if not (folder / name).is_file()]
    if missing:
        of = {_TOKENIZER: _VOCABULARY} if _VOCABULARY in model.files else {}
        needed = [of.get(name, name) for name in missing]
        raise ModelMissingError(
            f"what there is of {model.name} is no model converted for CTranslate2: "
            f"{', '.join(needed)} missing; name another with --from"
        )
    publish(folder)
