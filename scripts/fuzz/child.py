"""One target in a process of its own, under libFuzzer: ``python -m scripts.fuzz.child TARGET [OPTION…]``.

Ends with the process: libFuzzer prints how it went on standard error, and what it found.
"""

from __future__ import annotations

import logging
import os
import shlex
import sys
import warnings

INSTRUMENTED = ["decalage", "tomllib", "python_multipart"]
"""Packages whose branches are looked at: ours, and what reads for us and is written in Python."""


def main() -> None:
    """Fuzz until the options say that it is enough."""
    import atheris  # noqa: PLC0415 - an extra, which scripts.fuzz asks for first

    for name in [name for name in os.environ if name.startswith("DECALAGE_")]:
        del os.environ[name]  # settings of whoever runs this
    logging.disable()
    with atheris.instrument_imports(include=INSTRUMENTED):
        from scripts.fuzz.registry import TARGETS  # noqa: PLC0415 - instrumented as it is imported

    warnings.simplefilter("error")  # as in the tests, which try the same inputs
    name, *options = sys.argv[1:]
    # libFuzzer's shell begins it again to merge.
    itself = shlex.join([sys.executable, "-m", "scripts.fuzz.child", name])
    atheris.Setup([itself, *options], TARGETS[name].check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
