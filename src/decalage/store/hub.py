"""The road to models that no package carries: the Hugging Face hub, or a server with its layout."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from decalage.errors import ModelMissingError, one_line
from decalage.store.catalogue import Model
from decalage.store.files import whole_folder

_PATTERNS = ["config.json", "preprocessor_config.json", "model.bin", "tokenizer.json", "vocabulary.*"]
_TIMEOUT_S = 20


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
            reason = one_line(error)[:200]
            raise ModelMissingError(
                f"cannot download {model.repository}: {type(error).__name__}: {reason}; "
                "check the network, or give --model a folder"
            ) from error
