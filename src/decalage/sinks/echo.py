"""The terminal's own echo of Ctrl-C, which would push the lines that are rewritten out of their place."""

from __future__ import annotations

import sys
from types import TracebackType

try:
    import termios
except ImportError:  # Windows echoes no control characters
    termios = None  # type: ignore[assignment]

_LOCAL = 3
"""Place of the local modes among a terminal's attributes."""


class NoControlEcho:
    """While it is on, the terminal of standard input does not write ``^C`` where it is pressed."""

    def __init__(self) -> None:
        self._before: list[object] | None = None

    def __enter__(self) -> NoControlEcho:
        if termios is None or sys.stdin is None or not sys.stdin.isatty():
            return self
        before = termios.tcgetattr(sys.stdin)
        changed = list(before)
        changed[_LOCAL] &= ~termios.ECHOCTL
        termios.tcsetattr(sys.stdin, termios.TCSANOW, changed)
        self._before = before
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        before, self._before = self._before, None
        if before is not None:
            termios.tcsetattr(sys.stdin, termios.TCSANOW, before)  # type: ignore[arg-type]
