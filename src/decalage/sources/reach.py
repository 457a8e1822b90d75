"""How far FFmpeg may reach: which containers, which protocols, how much memory.

::

    a path         any container; a playlist may name files, never a host
    a URL          any container; a playlist may name hosts, never a file; certificates are checked
    of a stranger  a plain container of few tracks, and nothing else is opened

These are FFmpeg's own limits, where it has them. They are stated all the same: what it takes for granted
depends on how it was built.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

_PLAIN = (
    "aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,au,avi,caf,eac3,flac,flv,"
    "matroska,mov,mp3,mpeg,mpegts,ogg,tta,w64,wav,wv"
)
"""Containers that hold their sound themselves, as FFmpeg calls them; playlists, scripts and the like name
other files and URLs."""
_HERE = "file,crypto,data"
_NETWORK = "http,https,httpproxy,tls,tcp,udp,rtp,srtp,rtmp,rtmps,rtmpt,rtmpts,ffrtmphttp,srt,crypto,data"
TRACKS = 16
"""Of a stranger's file. Each may take several allocations."""
LARGEST_BYTES = 64 << 20
"""Of one allocation. The index of 12 h of AAC at 48 kHz takes 49 MB."""

OWN: Mapping[str, str] = MappingProxyType({"protocol_whitelist": _HERE})
"""Options for a path that the user gave."""
STRANGE: Mapping[str, str] = MappingProxyType(
    {"format_whitelist": _PLAIN, "protocol_whitelist": "file", "max_streams": str(TRACKS)}
)
"""Options for a file that somebody else gave; ``bound_memory`` goes with them."""


def network() -> dict[str, str]:
    """Options for a URL that the user gave. ``SSL_CERT_FILE`` names the certificates that are trusted.

    FFmpeg asks for no certificate by itself, and never for those of what a playlist names.
    """
    options = {"protocol_whitelist": _NETWORK, "tls_verify": "1"}
    trusted = ssl.get_default_verify_paths().cafile
    return options if trusted is None else {**options, "ca_file": trusted}


@cache
def bound_memory() -> bool:
    """Let FFmpeg allocate ``LARGEST_BYTES`` at once in this process, for good; False where it cannot be told.

    A header of a few kilobytes may claim an index of any size, which is 2 GB a track otherwise. The library
    has no option for it, only ``av_max_alloc``, which is found among what a module of PyAV is linked with
    (not on Windows).
    """
    import ctypes  # noqa: PLC0415 - for strangers only

    import av.buffer  # noqa: PLC0415 - loads FFmpeg

    try:
        limit = ctypes.CDLL(av.buffer.__file__).av_max_alloc
    except (OSError, AttributeError):
        return False
    limit.argtypes, limit.restype = [ctypes.c_size_t], None
    limit(LARGEST_BYTES)
    return True
