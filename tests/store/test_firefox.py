"""Firefox directions from a server with Remote Settings' layout."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from decalage.errors import ModelDamagedError, ModelMissingError, UnsupportedPairError
from decalage.stages.firefox import FirefoxTranslator
from decalage.store.firefox import add_direction, folder_of
from decalage.store.models import add_model, available_pairs, find_translator
from decalage.store.sentencepiece import tokenizer_json


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder; a folder's own address gives its index.json."""

    def log_message(self, *_arguments: object) -> None:
        pass

    def translate_path(self, path: str) -> str:
        found = Path(super().translate_path(path))
        return str(found / "index.json" if found.is_dir() else found)


def publish(root: Path, base: str) -> None:
    """The installed en→pt model, offered by the server as en→es in version 2.0, and a stub of 1.0."""
    carried = find_translator("en", "pt")
    names = {
        "model": "model.enpt.intgemm.alphas.bin",
        "lex": "lex.50.50.enpt.s2t.bin",
        "vocab": "vocab.enpt.spm",
    }
    records = []
    for kind, name in names.items():
        data = (carried / name).read_bytes()
        (root / name).write_bytes(data)
        attachment = {"location": name, "hash": hashlib.sha256(data).hexdigest(), "size": len(data)}
        body = {"fromLang": "en", "toLang": "es", "fileType": kind, "name": name}
        records.append({**body, "version": "2.0", "attachment": attachment})
        records.append({**body, "version": "1.0", "attachment": {"location": "old", "hash": "", "size": 0}})
    folder = root / "v1/buckets/main/collections/translations-models"
    folder.mkdir(parents=True)
    (folder / "records").write_text(json.dumps({"data": records}))
    capabilities = {"capabilities": {"attachments": {"base_url": base}}}
    (root / "v1" / "index.json").write_text(json.dumps(capabilities))


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    root = tmp_path / "server"
    root.mkdir()
    http = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root)))
    address = f"http://127.0.0.1:{http.server_address[1]}"
    publish(root, f"{address}/")
    monkeypatch.setenv("DECALAGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("DECALAGE_FIREFOX_SERVER", f"{address}/v1")
    thread = threading.Thread(target=http.serve_forever)
    thread.start()
    yield root
    http.shutdown()
    thread.join()
    http.server_close()


@pytest.mark.real
def test_a_direction_is_downloaded_and_translates_as_the_same_files_from_a_package(server: Path) -> None:
    with pytest.raises(UnsupportedPairError, match="firefox:en-es"):
        find_translator("en", "es")
    added = add_model("firefox:en-es")
    assert find_translator("en", "es") == added
    assert ("en", "es") in available_pairs()
    translator = FirefoxTranslator({("en", "es"): added, ("en", "pt"): find_translator("en", "pt")})
    text = "The weather is fine today, Mr. Smith. Isn't it?"
    new, carried = (translator.translate(text, source="en", target=target).text for target in ("es", "pt"))
    assert new == carried
    assert server.is_dir()


def test_the_vocabulary_converts_to_what_the_package_carries() -> None:
    for source, target in (("en", "pt"), ("pt", "en")):
        folder = find_translator(source, target)
        carried = json.loads((folder / "tokenizer.json").read_text("utf-8"))
        made = tokenizer_json((folder / f"vocab.{source}{target}.spm").read_bytes())
        pieces = [(piece, pytest.approx(score, abs=1e-5)) for piece, score in carried["model"]["vocab"]]
        assert [tuple(entry) for entry in made["model"]["vocab"]] == pieces
        made["model"]["vocab"] = carried["model"]["vocab"] = None
        assert made == carried


def test_a_damaged_download_leaves_nothing(server: Path) -> None:
    (server / "lex.50.50.enpt.s2t.bin").write_bytes(b"damaged")
    with pytest.raises(ModelDamagedError, match="arrived damaged"):
        add_direction("en", "es")
    assert not folder_of("en", "es").exists()
    assert list(folder_of("en", "es").parent.iterdir()) == []


def test_a_file_damaged_later_is_refused(server: Path) -> None:
    folder = add_direction("en", "es")
    (folder / "lex.50.50.enpt.s2t.bin").write_bytes(b"damaged")
    with pytest.raises(ModelDamagedError, match="models add firefox:en-es --again"):
        find_translator("en", "es")
    assert server.is_dir()
    assert add_model("firefox:en-es", again=True) == folder


def test_a_pair_the_server_does_not_have_is_refused_with_what_it_has(server: Path) -> None:
    with pytest.raises(UnsupportedPairError, match="it has en→es"):
        add_model("firefox:en-fr")
    assert server.is_dir()


@pytest.mark.usefixtures("server")
def test_an_unreachable_server_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DECALAGE_FIREFOX_SERVER", "http://127.0.0.1:9/v1")
    with pytest.raises(ModelMissingError, match="cannot download") as refusal:
        add_model("firefox:en-es")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("data", [b"", b"no model", b"\x0a\xff", bytes(range(256))])
def test_what_is_no_vocabulary_is_refused(data: bytes) -> None:
    with pytest.raises(ModelDamagedError):
        tokenizer_json(data)
