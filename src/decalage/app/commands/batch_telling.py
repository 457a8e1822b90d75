"""What ``decalage batch`` says on its way, besides the course and the end that ``app.batch.screen`` shows."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import click

from decalage.app.batch.plan import Task
from decalage.app.batch.probe import Looked, probe
from decalage.app.batch.standing import printable
from decalage.errors import OutputError
from decalage.sinks.output import TextOutput, write_whole


def look_at(tasks: Sequence[Task]) -> Looked:
    """What there is of ``tasks``; those left out are told."""
    shown = sys.stderr is not None and sys.stderr.isatty() and len(tasks) > 200

    def count(number: int) -> None:
        if shown and (number % 50 == 0 or number == len(tasks)):
            end = "\n" if number == len(tasks) else ""
            click.echo(f"\rlooking at {number} of {len(tasks)} files{end}", nl=False, err=True)

    looked = probe(tasks, count)
    tell_left_out(looked.silent, "there is no sound in them")
    return looked


def tell_left_out(paths: Sequence[Path], why: str) -> None:
    """``paths`` are no part of the batch; a line, if there are any."""
    if paths:
        some = ", ".join(printable(path.name) for path in paths[:3])
        more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
        tell(f"left out, for {why}: {some}{more}")


def write_report(path: str | None, text: str) -> int:
    """The exit code: 1 for a report that could not be written, which is told; the results are there."""
    try:
        if path not in (None, "-"):
            write_whole(str(path), text + "\n")
        elif path == "-" and sys.stdout is not None:
            TextOutput(sys.stdout, "standard output").line(text)
    except OutputError as error:
        if error.exit_code:
            tell(str(error))
            return 1
    return 0


def tell(message: str) -> None:
    """A line on standard error."""
    with suppress(OSError):  # a terminal may have been closed
        click.echo(f"decalage: {message}", err=True)
