"""The command line: parses, runs, and turns every error into one line and an exit code."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from pathlib import Path

import click

from decalage.app.allocator import share_arenas
from decalage.app.commands.advise import advise
from decalage.app.commands.batch import batch
from decalage.app.commands.bench import bench
from decalage.app.commands.doctor import doctor
from decalage.app.commands.evaluate import evaluate
from decalage.app.commands.history import history
from decalage.app.commands.listen import listen
from decalage.app.commands.live import list_devices, live
from decalage.app.commands.models import models
from decalage.app.commands.resume import resume
from decalage.app.commands.serve import serve
from decalage.app.commands.speak import speak
from decalage.app.commands.translate import translate
from decalage.errors import DecalageError, one_line
from decalage.sinks.output import NO_ROOM, reason

EPILOG = (
    "Exit codes: 0 done; 1 some speech failed or the input was damaged; 2 bad usage or input; "
    "3 something is not installed; 130 Ctrl-C, after what was said is captioned."
)


class _Commands(click.Group):
    """Tells who names a file in the place of a command which one captions it."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and self.get_command(ctx, args[0]) is None and Path(args[0]).is_file():
            raise click.UsageError(f"no command {args[0]!r}; to caption a file: decalage translate {args[0]}")
        return super().resolve_command(ctx, args)


@click.group(
    cls=_Commands,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="decalage", prog_name="decalage")
def command() -> None:
    """Live speech translation on the CPU you have.

    \b
    decalage translate talk.mp4 --to pt        captions on screen
    decalage translate talk.mp4 -o talk.srt    subtitles
    decalage live                              a microphone
    decalage doctor                            what works here
    """  # noqa: D301 - \b keeps click from filling the lines


command.add_command(translate)
command.add_command(live)
command.add_command(resume)
command.add_command(history)
command.add_command(serve)
command.add_command(speak)
command.add_command(listen)
command.add_command(batch)
command.add_command(bench)
command.add_command(evaluate)
command.add_command(advise)
command.add_command(models)
command.add_command(list_devices)
command.add_command(doctor)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    share_arenas()
    try:
        code = command.main(arguments, prog_name="decalage", standalone_mode=False)
    except BaseException as error:
        told = _code(error)
        if told is None:
            raise
        code = told
    logging.shutdown()
    sys.exit(code if isinstance(code, int) else 0)


def _code(error: BaseException) -> int | None:
    """Tell what went wrong and give the exit code of it; None for what is a defect of ours."""
    if isinstance(error, click.exceptions.Abort) or _interrupted(error):
        return 130
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        _write(error.format_message())
        return 2
    if isinstance(error, click.ClickException):
        _tell(error.format_message())
        return 2
    if isinstance(error, DecalageError):
        if error.exit_code:
            _tell(str(error))
        return error.exit_code
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        _tell(f"cannot write standard output: {reason(error)}")
        return 2
    return None


def _interrupted(error: BaseException) -> bool:
    """Whether a Ctrl-C is behind ``error``: in the import of a library it may become any other."""
    cause: BaseException | None = error
    seen: list[BaseException] = []  # causes of libraries may go in circles
    while cause is not None and cause not in seen:
        if isinstance(cause, KeyboardInterrupt):
            return True
        seen.append(cause)
        cause = cause.__cause__ or cause.__context__
    return False


def _tell(message: str) -> None:
    _write(f"decalage: {one_line(message)}")


def _write(text: str) -> None:
    with suppress(OSError):  # a full disk there must not change the exit code
        click.echo(text, err=True)
