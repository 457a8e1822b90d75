"""Piper's voices from a server with the hub's layout."""

from __future__ import annotations

from pathlib import Path

import pytest

from decalage.errors import ModelMissingError, UsageError
from decalage.store.models import add_model
from decalage.store.voices import find_voice
from tests.store.hub import hub
from tests.store.test_hub import models

NAME = "pt_BR-faber-medium"
FILES = {f"pt/pt_BR/faber/medium/{NAME}.onnx{end}": end.encode() or b"voice" for end in ("", ".json")}


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("DECALAGE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_voice_comes_from_the_hub_and_is_found_by_name_and_language(
    tmp_path: Path, own_cache: Path
) -> None:
    with hub(FILES) as address:
        added = models(own_cache, "add", f"voice:{NAME}", HF_ENDPOINT=address)
    assert (added.returncode, added.stderr) == (0, "")
    model = Path(added.stdout.strip()) / f"{NAME}.onnx"
    assert model.read_bytes() == b"voice"
    assert model.with_name(f"{NAME}.onnx.json").read_bytes() == b".json"
    assert find_voice("pt", None) == find_voice("en", NAME) == model
    assert find_voice("en", None) is None
    assert find_voice("en", str(model)) == model
    assert tmp_path.is_dir()


def test_a_voice_that_the_server_does_not_have_leaves_nothing(own_cache: Path) -> None:
    with hub(FILES) as address:
        added = models(own_cache, "add", "voice:en_US-nobody-low", HF_ENDPOINT=address)
    assert added.returncode == 3
    assert "check the name of the voice" in added.stderr
    assert list((own_cache / "models").iterdir()) == []


def test_names_that_are_none_are_bad_usage() -> None:
    for name in ("faber", "../../etc/passwd", "pt_BR-faber"):
        with pytest.raises(UsageError, match="is no voice of Piper"):
            add_model(f"voice:{name}")
    with pytest.raises(UsageError, match="models add voice:pt_BR-faber-medium"):
        find_voice("pt", NAME)


def test_offline_no_server_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DECALAGE_OFFLINE", "1")
    with pytest.raises(ModelMissingError, match="offline is set"):
        add_model(f"voice:{NAME}")
