"""A native library that one side begins anew while another uses it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Renewal:
    """What was opened before a renewal is gone after it: who uses it asks ``times`` and opens it again."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._times = 0

    @contextmanager
    def using(self) -> Iterator[int]:
        """No renewal while the block lasts, which must be short; how many there were."""
        with self._lock:
            yield self._times

    @contextmanager
    def renewing(self) -> Iterator[None]:
        """Nobody uses it while the block lasts."""
        with self._lock:
            self._times += 1
            yield


PORTAUDIO = Renewal()
"""It sees what was plugged in only when it starts anew, which closes every stream."""
