"""``python -m decalage``, and the command of that name."""

from __future__ import annotations

import sys


def run() -> None:
    """The command line. Ctrl-C while its modules are imported ends it without a word, as later on."""
    try:
        from decalage.app.cli import main  # noqa: PLC0415 - an interrupt can fall into it
    except KeyboardInterrupt:
        sys.exit(130)
    main()


if __name__ == "__main__":
    run()
