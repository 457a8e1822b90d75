"""``python -m decalage``, and the command of that name."""

from __future__ import annotations

import os
import signal
from types import FrameType


def run() -> None:
    """The command line. Ctrl-C while its modules are imported ends it without a word, as later on."""
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
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, lambda *_: os._exit(code))


def _leave(_number: int, _frame: FrameType | None) -> None:
    os._exit(130)  # nothing has begun that would have to end


if __name__ == "__main__":
    run()
