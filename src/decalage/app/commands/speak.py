"""``decalage speak``: a microphone, file or pipe through a server, its captions here."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click

from decalage.app.client import relay
from decalage.app.client.client import Client
from decalage.app.client.speaking import Speaking
from decalage.app.commands.captioning import INTERRUPTED
from decalage.app.commands.declared import declared_among, told
from decalage.app.commands.live import status_line
from decalage.app.compose import open_microphone, open_source
from decalage.app.options import LanguagesType, config_option
from decalage.app.outputs import check_languages, check_outputs, open_sinks
from decalage.app.settings import Settings
from decalage.contracts import AudioSource, Sink
from decalage.errors import UsageError
from decalage.sinks.captions import Show
from decalage.sinks.summary import print_summary
from decalage.sinks.together import Complaints, Together


@dataclass(frozen=True, slots=True)
class Written:
    """Where and how captions are written."""

    form: str
    outputs: tuple[str, ...]
    show: Show | None

    @classmethod
    def taken(cls, chosen: dict[str, Any]) -> Written:
        """Out of the options of a command."""
        return cls(chosen.pop("form"), chosen.pop("outputs"), chosen.pop("show"))

    def check(self, given: str) -> None:
        """Refuse what could not be opened, before anybody is asked for anything."""
        check_outputs(self.outputs, given)

    def open(
        self, incomplete: Complaints, given: str = "-", status: Callable[[], str] | None = None
    ) -> list[Sink]:
        """The sinks, as ``open_sinks`` has them; ``incomplete`` is told of one that fails beside others."""
        sinks = open_sinks(self.form, self.outputs, show=self.show, live=True, given=given, status=status)
        return [Together(sinks, incomplete)]


@click.command(
    epilog="Each option can also be set in the environment as DECALAGE_OPTION, or in the config file."
)
@click.argument("url", metavar="URL")
@click.argument("given", metavar="[INPUT]", required=False)
@click.option(
    "--input",
    "wanted",
    envvar="DECALAGE_INPUT",
    metavar="NAME|N",
    help='Without INPUT, what to listen to: a name, a part of one, or a number of "decalage devices".',
)
@click.option(
    "--from",
    "source",
    envvar="DECALAGE_FROM",
    metavar="LANG|auto",
    help="Language of the speech (BCP 47); auto detects it.  [default: the server's]",
)
@click.option(
    "--to",
    "targets",
    type=LanguagesType(),
    envvar="DECALAGE_TO",
    default=(),
    help="Languages of the captions (BCP 47).  [default: the server's]",
)
@click.option(
    "--token",
    envvar="DECALAGE_TOKEN",
    metavar="TEXT",
    help="Where the server wants one; better in the environment.",
)
@declared_among(
    "--partials/--no-partials",
    "--stability",
    "--prompt",
    "--format",
    "--output",
    "--show",
    "--duration",
    "--verbose",
)
@config_option
def speak(
    url: str,
    given: str | None,
    *,
    wanted: str | None,
    token: str | None,
    verbose: int,
    **chosen: Any,
) -> int:
    """Speak to a server, and see its captions here and wherever others read along.

    \b
    decalage speak http://127.0.0.1:8765                   the default microphone
    decalage speak http://127.0.0.1:8765 talk.mp4          a file or URL, at speaking pace
    arecord -t raw -f S16_LE -r 16000 | decalage speak http://127.0.0.1:8765 -

    Ctrl-C ends: what was said is captioned first. A lost connection is made again; what is said
    meanwhile, up to 90 s, is kept for it.
    """  # noqa: D301 - \b keeps click from filling the lines
    told(verbose)
    if given is not None and wanted is not None:
        raise UsageError("INPUT and --input name two things to listen to; give one")
    if Path(url).is_file():
        raise UsageError(f"{url} is a file: give the server's address before it, as http://127.0.0.1:8765")
    written = Written.taken(chosen)
    written.check(given or "-")
    settings = Settings(pace="realtime", duration_s=chosen.pop("duration_s"))
    partials = chosen.pop("partials")
    client = Client(url, token=token, tell=tell)
    speaking = client.speak(partials=partials is not False, **chosen)
    source, status = _opened(given, wanted, settings)
    incomplete = Complaints(tell)
    opened = partial(written.open, incomplete, given or "-", status)
    begin = partial(_begin, client, speaking, written, opened)
    try:
        outcome = relay.speak(speaking, source, begin)
    finally:
        source.stop()
    return conclude(outcome, incomplete)


def tell(line: str) -> None:
    """``line`` on standard error."""
    click.echo(f"decalage: {line}", err=True)


def conclude(outcome: relay.Outcome, incomplete: Complaints) -> int:
    """Tell how it went, and the exit code."""
    on_screen = sys.stdout is not None and sys.stdout.isatty()
    for line in () if on_screen else outcome.lost:  # who sees the captions sees what failed
        tell(line)
    if outcome.summary is not None:
        print_summary(outcome.summary, sys.stderr)
    trouble = _trouble(outcome)
    for line in trouble:
        tell(line)
    if outcome.interrupted:
        return INTERRUPTED
    return 1 if trouble or outcome.lost or incomplete.any else 0


def _trouble(outcome: relay.Outcome) -> list[str]:
    """What kept sound from being captioned, beside single pieces."""
    lines = [] if outcome.damaged is None else [outcome.damaged]
    if outcome.summary is not None and outcome.summary.damaged is not None:
        lines.append(f"the server stopped hearing: {outcome.summary.damaged}")
    if outcome.closed is not None and outcome.closed.reason != "end":
        lines.append(f"the server ended the session: {outcome.closed.reason}")
    if outcome.left:
        lines.append("the last captions were not waited for")
    if outcome.closed is not None and not outcome.closed.flushed:
        lines.append("the server did not caption all that was sent")
    return lines


def _opened(
    given: str | None, wanted: str | None, settings: Settings
) -> tuple[AudioSource, Callable[[], str] | None]:
    """The source, and what stands below the captions of a microphone."""
    if given is not None:
        return open_source(given, settings), None
    microphone, source = open_microphone(wanted, settings)
    return source, lambda: status_line(microphone, keys=False)


def _begin(
    client: Client, speaking: Speaking, written: Written, opened: Callable[[], list[Sink]]
) -> Sequence[Sink]:
    """Say where others read along, and open the outputs. Raises ``UsageError`` for one without captions."""
    check_languages(written.outputs, speaking.source, speaking.targets)
    target = speaking.targets[0] if len(speaking.targets) == 1 else None
    tell(f"read along: {client.link(speaking.listen_id, target)}")
    return opened()
