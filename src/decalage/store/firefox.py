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
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from decalage.errors import ModelDamagedError, ModelMissingError, UnsupportedPairError
from decalage.store.files import cache_folder, publish, verify_published, whole_folder
from decalage.store.sentencepiece import tokenizer_json

_SERVER = "https://firefox.settings.services.mozilla.com/v1"
_RECORDS = "buckets/main/collections/translations-models/records"
_KINDS = {"model", "lex", "vocab"}
_TIMEOUT_S = 20.0
_MOST_BYTES = 256 << 20
"""A server that never stops is no reason to run out of memory."""


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """A file that the server has."""

    kind: str
    name: str
    """As it is called on the disk: never a path."""
    location: str
    """Under the server's ``base_url``."""
    sha256: str


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
    files = chosen_files(_json(f"{server}/{_RECORDS}"), source, target)
    try:
        base = str(_json(f"{server}/")["capabilities"]["attachments"]["base_url"]).rstrip("/")
    except (LookupError, TypeError) as error:
        raise _no_model_server(server) from error
    folder = folder_of(source, target)
    with whole_folder(folder) as temporary:
        for file in files:
            data = _get(f"{base}/{file.location.lstrip('/')}")
            if hashlib.sha256(data).hexdigest() != file.sha256:
                raise ModelDamagedError(f"{file.name} arrived damaged; run the command again")
            (temporary / file.name).write_bytes(data)
            if file.kind == "vocab":
                body = json.dumps(tokenizer_json(data), ensure_ascii=False)
                (temporary / "tokenizer.json").write_text(body, "utf-8")
        publish(temporary)
    return folder


def chosen_files(answer: Any, source: str, target: str) -> list[PublishedFile]:
    """Of the server's list of records, JSON, the newest file of each kind for the pair.

    Raises ``UnsupportedPairError`` listing what there is, ``ModelMissingError`` for what is no such list.
    """
    try:
        pairs = [(_text(record, "fromLang"), _text(record, "toLang")) for record in answer["data"]]
        mine = [
            record for pair, record in zip(pairs, answer["data"], strict=True) if pair == (source, target)
        ]
        newest = {r["fileType"]: r for r in sorted(mine, key=lambda r: _version(_text(r, "version")))}
        found = [_file(newest[kind]) for kind in sorted(_KINDS) if kind in newest]
    except (LookupError, TypeError, ValueError) as error:
        raise _no_model_server("the server") from error
    if not mine:
        known = sorted({f"{one}→{other}" for one, other in pairs})
        raise UnsupportedPairError(f"Firefox has no model {source}→{target}; it has {', '.join(known)}")
    if len(found) < len(_KINDS):
        raise UnsupportedPairError(
            f"the {source}→{target} model has separate vocabularies, which the engine cannot run"
        )
    return found


def _file(record: Mapping[str, Any]) -> PublishedFile:
    attachment, name = record["attachment"], Path(_text(record, "name")).name
    if name in ("", "..") or not name.isprintable():
        raise ValueError(f"{name!r} is no name of a file")
    return PublishedFile(record["fileType"], name, _text(attachment, "location"), _text(attachment, "hash"))


def _text(record: Mapping[str, Any], name: str) -> str:
    value = record[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} is no text")
    return value


def _version(text: str) -> tuple[int, ...]:
    return tuple(int("".join(c for c in part if c in "0123456789") or 0) for part in text.split("."))


def _json(url: str) -> Any:
    try:
        return json.loads(_get(url))
    except (ValueError, RecursionError) as error:
        raise _no_model_server(url) from error


def _no_model_server(place: str) -> ModelMissingError:
    return ModelMissingError(f"{place} does not answer as a model server; try again later")


def _get(url: str) -> bytes:
    if not url.startswith(("https://", "http://")):
        raise ModelMissingError(f"{url} is no web address")
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - checked above
            data: bytes = answer.read(_MOST_BYTES + 1)
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        reason = getattr(error, "reason", error)
        raise ModelMissingError(f"cannot download {url}: {reason}; check the network") from error
    if len(data) > _MOST_BYTES:
        raise ModelDamagedError(f"{url} is larger than any model: {_MOST_BYTES >> 20} MB are taken")
    return data
