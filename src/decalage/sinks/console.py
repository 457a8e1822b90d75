"""Rich's console, for a program that is not over when a pipe is."""

from __future__ import annotations

import errno
import os

from rich.console import Console


class PipeConsole(Console):
    """Raises ``BrokenPipeError`` where nobody reads any more; rich's own ends the program."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
