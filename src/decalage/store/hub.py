"""The road to models that no package carries: the Hugging Face hub, or a server with its layout."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from decalage.errors import ModelMissingError, one_line

_TIMEOUT_S = 20
_REASON_LENGTH = 120


def offline_by_environment() -> bool:
    """Whether the environment forbids the network: ``DECALAGE_OFFLINE`` or ``HF_HUB_OFFLINE``."""
    return any(os.environ.get(name, "0") not in ("", "0") for name in ("DECALAGE_OFFLINE", "HF_HUB_OFFLINE"))


def fetch(
    repository: str, revision: str | None, folder: Path, patterns: Sequence[str], roads: Sequence[str]
) -> None:
    """The files of ``repository`` that match one of ``patterns``, into ``folder``.

    ``HF_ENDPOINT`` names the server. Raises ``ModelMissingError`` in one line, ending in ``roads``, when
    it cannot be reached or has no such model.
    """
    os.environ.setdefault("HF_HUB_DOWNLOAD_TIMEOUT", str(_TIMEOUT_S))
    os.environ.setdefault("HF_HUB_ETAG_TIMEOUT", str(_TIMEOUT_S))
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    import huggingface_hub  # noqa: PLC0415 - reads the variables above when it is imported

    huggingface_hub.logging.set_verbosity(logging.CRITICAL)  # each retry would be a line
    huggingface_hub.logging.disable_propagation()
    endpoint = os.environ.get("HF_ENDPOINT")
    try:
        huggingface_hub.snapshot_download(
            repository,
            revision=revision,
            local_dir=folder,
            allow_patterns=list(patterns),
            endpoint=endpoint,
            max_workers=2,
        )
    except Exception as error:  # the hub's errors and its HTTP library's share no root
        told = f"cannot download {repository}: {_reason(error)}; {', '.join(roads)}"
        raise ModelMissingError(told) from error


def _reason(error: Exception) -> str:
    """The first failure, which the hub's library wraps: a few words of it."""
    first: BaseException = error
    while first.__cause__ is not None:
        first = first.__cause__
    return f"{type(first).__name__}: {one_line(first)[:_REASON_LENGTH]}"
