"""The signals that ask a command to stop."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


def catch(handler: Callable[[int, FrameType | None], object]) -> dict[int, Any]:
    """From now on ``handler`` is told of Ctrl-C, SIGTERM and a closed terminal; signal → what it did before.

    One that this program was started to ignore, by ``nohup`` or in the background, stays ignored.
    """
    numbers = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]  # Windows has no SIGHUP
    heeded = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    return {number: signal.signal(number, handler) for number in heeded}
