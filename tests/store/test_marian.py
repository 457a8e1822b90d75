"""OPUS-MT and NLLB-200 models from a server with the hub's layout, or from a folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from decalage.app.commands.models import models as models_command
from decalage.app.directions import find_directions
from decalage.errors import ModelDamagedError, ModelMissingError, UsageError
from decalage.stages.marian import MarianTranslator
from decalage.store.models import add_model, available_pairs, find_translator, list_models, model_path
from tests.stand_in import nllb, opus
from tests.store.hub import hub
from tests.store.test_hub import models

READ = ("▁good", "▁morning")
LANGUAGES = ("deu_Latn", "eng_Latn", "por_Latn")


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("DECALAGE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "models"


@pytest.fixture
def german(tmp_path: Path) -> Path:
    return opus(tmp_path / "converted", READ, ["▁Guten", "▁Morgen"])


def test_a_direction_comes_from_the_hub_and_translates(tmp_path: Path, german: Path) -> None:
    files = {path.name: path.read_bytes() for path in german.iterdir()}
    with hub({**files, "README.md": b"not wanted"}) as address:
        added = models(tmp_path / "cache", "add", "opus:en-de", HF_ENDPOINT=address)
    assert (added.returncode, added.stderr) == (0, "")
    folder = Path(added.stdout.strip())
    assert not (folder / "README.md").exists()
    assert find_translator("en", "de") == folder
    assert ("en", "de") in available_pairs()
    assert dict(find_directions("en", ["de"], hears_others=False)) == {("en", "de"): folder}
    translator = MarianTranslator({("en", "de"): folder})
    assert translator.translate("good morning", source="en", target="de").text == "Guten Morgen"


def test_many_languages_come_from_a_folder_and_their_licence_is_told(tmp_path: Path) -> None:
    given = nllb(tmp_path / "mine", READ, ["▁Guten", "▁Tag"], LANGUAGES)
    added = CliRunner().invoke(models_command, ["add", "nllb-600m", "--from", str(given)])
    assert added.exit_code == 0, added.output
    assert "non-commercial" in added.stderr
    folder = Path(added.stdout.strip())
    assert find_translator("pt", "de") == folder == model_path("nllb-600m")
    assert ("yue", "is") in available_pairs()
    assert ("br", "de") not in available_pairs()
    assert "nllb-600m" in {record.name for record in list_models()}


def test_a_model_of_the_direction_itself_comes_first(tmp_path: Path, german: Path) -> None:
    add_model("nllb-600m", str(nllb(tmp_path / "mine", READ, ["▁Tag"], LANGUAGES)))
    folder = add_model("opus:eng-de-DE", str(german))
    assert folder.name == "opus-en-de"
    assert find_translator("en", "de") == folder
    assert find_translator("en", "pt").name not in ("nllb-600m", "opus-en-de")


def test_what_is_no_model_leaves_nothing(german: Path, own_cache: Path) -> None:
    (german / "source.spm").unlink()
    with pytest.raises(ModelMissingError, match=r"source\.spm missing; name another with --from"):
        add_model("opus:en-de", str(german))
    (german / "source.spm").write_bytes(b"no vocabulary")
    with pytest.raises(ModelDamagedError):
        add_model("opus:en-de", str(german))
    assert not list(own_cache.iterdir())


def test_a_file_damaged_later_is_refused_and_added_again(german: Path) -> None:
    folder = add_model("opus:en-de", str(german))
    whole = (folder / "model.bin").read_bytes()
    (folder / "model.bin").write_bytes(whole[:-1])
    os.utime(folder / "model.bin", ns=(1, 1))
    with pytest.raises(ModelDamagedError, match=r"models add opus:en-de --again --from .*converted"):
        find_translator("en", "de")
    assert add_model("opus:en-de", str(german), again=True) == folder
    assert (folder / "model.bin").read_bytes() == whole


@pytest.mark.parametrize("name", ["opus:", "opus:en", "opus:en-", "opus:1-2"])
def test_a_direction_that_is_none_is_bad_usage(name: str) -> None:
    with pytest.raises(UsageError):
        add_model(name)


def test_only_these_models_are_taken_from_elsewhere(german: Path) -> None:
    with pytest.raises(UsageError, match="--from is for opus: and nllb models"):
        add_model("base", str(german))


def test_another_copy_takes_the_place_of_the_first_only_when_it_is_whole(
    tmp_path: Path, german: Path
) -> None:
    folder = add_model("opus:en-de", str(german))
    before = (folder / "model.bin").read_bytes()
    with pytest.raises(ModelMissingError):
        add_model("opus:en-de", str(tmp_path))
    assert (folder / "model.bin").read_bytes() == before
    other = opus(tmp_path / "other", READ, ["▁Hallo"])
    assert add_model("opus:en-de", str(other)) == folder
    assert (folder / "model.bin").read_bytes() != before
    assert [path.name for path in folder.parent.iterdir() if path.is_dir()] == ["opus-en-de"]


def test_offline_no_server_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DECALAGE_OFFLINE", "1")
    with pytest.raises(ModelMissingError, match="offline is set"):
        add_model("opus:en-de")
