"""``python -m decalage``, and the command of that name."""

from __future__ import annotations

import atexit
import os
import signal
from types import FrameType

_ENDS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
"""Windows has no SIGHUP."""


def run() -> None:
    """The command line. Ctrl-C while its modules are imported ends it without a word, as later on."""
    atexit.register(_turn_deaf)  # the first that is registered is the last that is called
    before = signal.getsignal(signal.SIGINT)  # a job in the background is started to ignore it
    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _leave)  # an exception in the middle of an import may become any other
    from decalage.app.cli import main  # noqa: PLC0415 - an interrupt can fall into it

    signal.signal(signal.SIGINT, before)
    try:
        main()
    except SystemExit as end:
        _end_with(end.code if isinstance(end.code, int) else 0)
        raise


def _end_with(code: int) -> None:
    """All is written: who asks for the end while the interpreter is taken down gets the code of the run."""
    for number in _ENDS:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, lambda *_: os._exit(code))


def _turn_deaf() -> None:
    """The interpreter forgets its handlers before the libraries have ended, and they take their time."""
    for number in _ENDS:
        signal.signal(number, signal.SIG_IGN)


def _leave(_number: int, _frame: FrameType | None) -> None:
    os._exit(130)  # nothing has begun that would have to end


if __name__ == "__main__":
    run()
