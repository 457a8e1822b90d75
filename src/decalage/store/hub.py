"""The road to models that no package carries: the Hugging Face hub, or a server with its layout."""

from __future__ import annotations

import errno
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from decalage.errors import ModelMissingError, one_line

_TIMEOUT_S = 20
_REASON_LENGTH = 120
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
"""What the disk refuses."""


def offline_by_environment() -> bool:
    """Whether the environment forbids the network: ``DECALAGE_OFFLINE`` or ``HF_HUB_OFFLINE``."""
    return any(os.environ.get(name, "0") not in ("", "0") for name in ("DECALAGE_OFFLINE", "HF_HUB_OFFLINE"))


def fetch(
    repository: str, revision: str | None, folder: Path, patterns: Sequence[str], roads: Sequence[str]
) -> None:
    """The files of ``repository`` that match one of ``patterns``, into ``folder``.

    ``HF_ENDPOINT`` names the server. Raises ``ModelMissingError`` in one line, ending in ``roads``, when
    it cannot be reached or has no such model, ``OSError`` where the folder cannot be written.
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
        first = _first(error)
        if isinstance(first, OSError) and first.errno in _NO_ROOM:
            raise OSError(first.errno, first.strerror) from error
        told = f"cannot download {repository}: {_reason(first)}; {', '.join(roads)}"
        raise ModelMissingError(told) from error


def _first(error: BaseException) -> BaseException:
    """The first failure, which the hub's library wraps."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _reason(error: BaseException) -> str:
    """A few words of it."""
    return f"{type(error).__name__}: {one_line(error)[:_REASON_LENGTH]}"
