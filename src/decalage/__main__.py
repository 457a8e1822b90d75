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
    main()


def _leave(_number: int, _frame: FrameType | None) -> None:
    os._exit(130)  # nothing has begun that would have to end


if __name__ == "__main__":
    run()
