"""Firefox Translations models beyond those in packages, from Mozilla's Remote Settings.

The server lists one record a file: language pair, version, kind, and an attachment with its SHA-256.
https://remote-settings.readthedocs.io, collection ``translations-models``.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from decalage.errors import ModelDamagedError, ModelMissingError, UnsupportedPairError
from decalage.store.files import cache_folder, publish, verify_published, whole_folder
from decalage.store.sentencepiece import tokenizer_json

_SERVER = "https://firefox.settings.services.mozilla.com/v1"
_RECORDS = "buckets/main/collections/translations-models/records"
_KINDS = {"model", "lex", "vocab"}
_TIMEOUT_S = 20.0


def folder_of(source: str, target: str) -> Path:
    """Where the direction is kept in the cache."""
    return cache_folder() / f"firefox-{source}-{target}"


def cached_pairs() -> list[tuple[str, str]]:
    """The directions in the cache."""
    found = sorted(cache_folder().glob("firefox-*-*")) if cache_folder().is_dir() else []
    named = (path.name.split("-") for path in found)
    return [(parts[1], parts[2]) for parts in named if len(parts) == 3]


def find_cached(source: str, target: str) -> Path | None:
    """The verified folder of a direction in the cache. Raises ``ModelDamagedError``."""
    folder = folder_of(source, target)
    if not folder.is_dir():
        return None
    mend = f"decalage models add firefox:{source}-{target} --again"
    verify_published(folder, mend)
    return folder


def add_direction(source: str, target: str) -> Path:
    """Download a direction into the cache, whole or not at all.

    ``DECALAGE_FIREFOX_SERVER`` names another server. Raises ``UnsupportedPairError`` listing what the
    server has, ``ModelMissingError`` when it cannot be reached, ``ModelDamagedError`` for a wrong hash.
    """
    server = os.environ.get("DECALAGE_FIREFOX_SERVER", _SERVER).rstrip("/")
    try:
        records = _newest(_json(f"{server}/{_RECORDS}")["data"], source, target)
        base = str(_json(f"{server}/")["capabilities"]["attachments"]["base_url"]).rstrip("/")
    except (LookupError, TypeError) as error:
        raise ModelMissingError(f"{server} does not answer as a model server; try again later") from error
    folder = folder_of(source, target)
    with whole_folder(folder) as temporary:
        for record in records:
            attachment, name = record["attachment"], Path(record["name"]).name
            data = _get(f"{base}/{attachment['location'].lstrip('/')}")
            if hashlib.sha256(data).hexdigest() != attachment["hash"]:
                raise ModelDamagedError(f"{name} arrived damaged; run the command again")
            (temporary / name).write_bytes(data)
            if record["fileType"] == "vocab":
                body = json.dumps(tokenizer_json(data), ensure_ascii=False)
                (temporary / "tokenizer.json").write_text(body, "utf-8")
        publish(temporary)
    return folder


def _newest(records: list[dict[str, Any]], source: str, target: str) -> list[dict[str, Any]]:
    """The newest file of each kind for the pair."""
    mine = [r for r in records if (r["fromLang"], r["toLang"]) == (source, target)]
    newest = {r["fileType"]: r for r in sorted(mine, key=lambda r: _version(r["version"]))}
    if not mine:
        known = sorted({f"{r['fromLang']}→{r['toLang']}" for r in records})
        raise UnsupportedPairError(f"Firefox has no model {source}→{target}; it has {', '.join(known)}")
    if not set(newest) >= _KINDS:
        raise UnsupportedPairError(
            f"the {source}→{target} model has separate vocabularies, which the engine cannot run"
        )
    return [newest[kind] for kind in sorted(_KINDS)]


def _version(text: str) -> tuple[int, ...]:
    return tuple(int("".join(c for c in part if c.isdigit()) or 0) for part in text.split("."))


def _json(url: str) -> Any:
    try:
        return json.loads(_get(url))
    except ValueError as error:
        raise ModelMissingError(f"{url} does not answer as a model server; try again later") from error


def _get(url: str) -> bytes:
    if not url.startswith(("https://", "http://")):
        raise ModelMissingError(f"{url} is no web address")
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - checked above
            data: bytes = answer.read()
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        reason = getattr(error, "reason", error)
        raise ModelMissingError(f"cannot download {url}: {reason}; check the network") from error
    return data
