"""Keys pressed while captions run, read without waiting; only where a person sits at a terminal."""

from __future__ import annotations

import select
import sys
from types import TracebackType

try:
    import termios
    import tty
except ImportError:  # Windows: no keys
    termios = tty = None  # type: ignore[assignment]


class Keys:
    """While it is on, keys come at once and are not echoed; Ctrl-C still interrupts."""

    def __init__(self) -> None:
        self._before: list[object] | None = None

    def __enter__(self) -> Keys:
        if termios is not None and sys.stdin is not None and sys.stdin.isatty():
            self._before = termios.tcgetattr(sys.stdin)
            tty.setcbreak(sys.stdin, termios.TCSANOW)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before is not None:
            termios.tcsetattr(sys.stdin, termios.TCSANOW, self._before)  # type: ignore[arg-type]
            self._before = None

    @property
    def on(self) -> bool:
        """Whether keys are read."""
        return self._before is not None

    def pressed(self) -> str:
        """The next key, or nothing."""
        if self._before is None or not select.select([sys.stdin], [], [], 0)[0]:
            return ""
        return sys.stdin.read(1)
