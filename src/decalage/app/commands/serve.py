"""``decalage serve``: a room full of listeners, over WebSockets and a page."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from decalage.app.commands.declared import declared_among
from decalage.app.journaled import models_of
from decalage.app.options import LanguagesType, config_option
from decalage.app.settings import Settings, overcommitted, unheard_terms
from decalage.errors import MissingPartError, UsageError
from decalage.store.history_upkeep import keep_text
from decalage.store.journal import Journal, JournalOptions
from decalage.store.journal_folders import journal_folder

if TYPE_CHECKING:
    from decalage.app.server.door import Door
    from decalage.app.server.running import Address, Running

logger = logging.getLogger(__name__)

_INTERRUPTED = 130
_MEGABYTE = 1_000_000
_JOURNAL_S = 150.0
"""Sound of a session that may wait for the disk: one that comes back sends two minutes at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """The options that are the server's own."""

    host: str
    port: int
    token: str | None
    open_door: bool
    allow_origin: tuple[str, ...]
    allow_host: tuple[str, ...]
    sessions: int
    session_limit: float
    idle_limit: float
    grace: float
    upload_limit: int
    tls_cert: Path | None
    tls_key: Path | None
    uds: Path | None
    languages: tuple[str, ...]
    log_format: Literal["text", "json"]
    drain: float
    journal: bool


_FILE = click.Path(path_type=Path, dir_okay=False)
_S = click.FloatRange(min=0, min_open=True)

_OWN: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = (
    (("--host",), {"default": "127.0.0.1", "help": "Where to listen."}),
    (("--port",), {"type": click.IntRange(0, 65_535), "default": 8765, "help": "0: any that is free."}),
    (("--token",), {"metavar": "SECRET", "help": "Who speaks has to know it."}),
    (
        ("--open", "open_door"),
        {"is_flag": True, "help": "Let others speak without a token, who ask by its address."},
    ),
    (
        ("--allow-origin",),
        {"multiple": True, "metavar": "URL", "help": "A site whose pages may connect. Repeatable."},
    ),
    (
        ("--allow-host",),
        {
            "multiple": True,
            "metavar": "NAME",
            "help": "A name this server goes by; no others then. Repeatable.",
        },
    ),
    (("--sessions",), {"type": click.IntRange(1, 1000), "default": 16, "help": "At a time."}),
    (("--session-limit",), {"type": _S, "default": 14_400, "metavar": "S", "help": "Longest session."}),
    (
        ("--idle-limit",),
        {"type": _S, "default": 300, "metavar": "S", "help": "A session that hears nothing so long ends."},
    ),
    (
        ("--grace",),
        {"type": _S, "default": 60, "metavar": "S", "help": "A lost connection may come back within it."},
    ),
    (
        ("--upload-limit",),
        {
            "type": click.IntRange(1, 100_000),
            "default": 1000,
            "metavar": "MB",
            "help": "Largest file that can be sent.",
        },
    ),
    (("--tls-cert",), {"type": _FILE, "metavar": "FILE", "help": "Certificate in PEM: serves HTTPS."}),
    (("--tls-key",), {"type": _FILE, "metavar": "FILE", "help": "Its key."}),
    (("--uds",), {"type": _FILE, "metavar": "PATH", "help": "Listen on a Unix socket instead."}),
    (
        ("--languages",),
        {"type": LanguagesType(), "default": "", "help": "Load translations between these only."},
    ),
    (
        ("--log-format",),
        {"type": click.Choice(["text", "json"]), "default": "text", "help": "Of logs, on standard error."},
    ),
    (
        ("--drain",),
        {"type": _S, "default": 30, "metavar": "S", "help": "To answer what was said, when told to stop."},
    ),
    (
        ("--journal/--no-journal",),
        {"default": False, "help": "Keep what is heard and answered on disk; docs/serving.md."},
    ),
)


def _own(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function`` with the options of ``Serving``; each can be set as ``DECALAGE_<NAME>`` too."""
    for names, attributes in reversed(_OWN):
        variable = "DECALAGE_" + names[0].partition("/")[0].lstrip("-").replace("-", "_").upper()
        told = attributes.get("default") not in (None, "")
        function = click.option(*names, envvar=variable, show_default=told, **attributes)(function)
    return function


@click.command(
    epilog="Each option can also be set in the environment as DECALAGE_OPTION, or in the config file."
)
@_own
@declared_among(
    *("--from", "--to", "--runtime", "--workers", "--threads", "--model", "--device", "--compute-type"),
    *("--engine", "--beam", "--encoder-window", "--end-silence", "--max-utterance", "--stability"),
    *("--partials/--no-partials", "--speculate/--no-speculate", "--prompt", "--terms", "--offline"),
    *("--overload", "--max-lag", "--fallback-model", "--address", "--verbose"),
)
@config_option
def serve(*, verbose: int, **chosen: Any) -> int:
    """Serve captions: a page to speak in, links to read along, an overlay, an API.

    \b
    decalage serve                                    http://127.0.0.1:8765/ on this machine
    DECALAGE_TOKEN=… decalage serve --host 0.0.0.0    for others too; docs/serving.md
    decalage serve --from pt --to en                  what speakers get who choose nothing
    """  # noqa: D301 - \b keeps click from filling the lines
    own = Serving(**{name: chosen.pop(name) for name in Serving.__slots__})
    settings = Settings(**chosen, pace="realtime")
    try:
        from decalage.app.server.logs import configure  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingPartError(
            f"the server is not installed: pip install '.[server]' in the clone ({error})"
        ) from error
    _check(own)
    configure(own.log_format, verbose)
    with ExitStack() as stack:
        bound, url = stack.enter_context(_listening(own))  # before the models load: who comes waits for them
        running = _made(own, settings, stack)
        for caution in filter(None, (overcommitted(settings), unheard_terms(settings))):
            click.echo(f"decalage: {caution}", err=True)
        asyncio.run(running.until_stopped(bound, lambda: _tell(own, url)))
    return _INTERRUPTED if running.stopped_by == signal.SIGINT else 0


def _listening(own: Serving) -> AbstractContextManager[tuple[socket.socket, str]]:
    from decalage.app.server.running import listening  # noqa: PLC0415 - an extra, as above

    return listening(_address(own))


def _address(own: Serving) -> Address:
    from decalage.app.server.running import Address  # noqa: PLC0415 - an extra, as above

    return Address(host=own.host, port=own.port, uds=own.uds, certificate=own.tls_cert, key=own.tls_key)


def _check(own: Serving) -> None:
    """Raises ``UsageError`` for what cannot be served, or would be open to more than was meant."""
    from decalage.app.server.door import is_loopback  # noqa: PLC0415 - an extra, as above

    dropped = own.token is None and "DECALAGE_TOKEN" in os.environ  # click takes "" for nothing
    if dropped or (own.token is not None and not own.token.strip()):
        raise UsageError("the token is blank: give --token (or DECALAGE_TOKEN) a secret, or leave it out")
    if own.uds is not None and not hasattr(socket, "AF_UNIX"):
        raise UsageError("there are no Unix sockets on this system: leave --uds out")
    if own.token is None and not own.open_door:
        if own.uds is not None and not own.allow_host:
            raise UsageError(
                f"a proxy lets others reach --uds {own.uds}: add --token SECRET, or --allow-host NAME (or "
                "--open) to let anybody speak"
            )
        if own.uds is None and not is_loopback(own.host):
            raise UsageError(
                f"other machines reach --host {own.host}: add --token SECRET, or --open to let anybody speak"
            )
    if (own.tls_cert is None) != (own.tls_key is None):
        raise UsageError("--tls-cert and --tls-key go together")


def door_of(own: Serving) -> Door:
    """Names count where any are given, and wherever there is no token: a page may bear another one."""
    from decalage.app.server.door import Door, is_loopback, names_of  # noqa: PLC0415 - an extra, as above

    others = own.open_door or (own.uds is None and not is_loopback(own.host))
    more = own.allow_host
    if own.open_door and not more:
        more = (socket.gethostname(),)
    named = own.token is None or own.allow_host
    return Door(
        token=own.token,
        hosts=names_of(own.host if own.uds is None else "", more) if named else None,
        addresses=others,
        origins=own.allow_origin,
    )


def _made(own: Serving, settings: Settings, stack: ExitStack) -> Running:
    """The server, its models loaded; ``stack`` frees them."""
    from decalage.app.server.booth import Booth  # noqa: PLC0415 - an extra, as above
    from decalage.app.server.protocol import Limits  # noqa: PLC0415
    from decalage.app.server.running import Running  # noqa: PLC0415
    from decalage.app.server.uploads import FileLimits  # noqa: PLC0415
    from decalage.app.server.web import Service  # noqa: PLC0415

    door = door_of(own)
    limits = Limits(
        sessions=own.sessions, session_s=own.session_limit, idle_s=own.idle_limit, grace_s=own.grace
    )
    journal = journal_of(settings, own.sessions) if own.journal else None
    if journal is not None:
        stack.callback(journal.close)  # once nothing more is answered
    booth = Booth(settings, own.languages or None)
    stack.callback(booth.close)
    files = FileLimits(upload_bytes=own.upload_limit * _MEGABYTE)
    service = Service(booth, door, limits, files, journal=journal)
    return Running(service, _address(own), drain_s=own.drain)


def journal_of(settings: Settings, sessions: int) -> Journal:
    """Where sessions are kept. Raises ``OutputError``."""
    limits = JournalOptions(waiting_s=_JOURNAL_S * sessions)
    return Journal(models_of(settings), options=limits, before_delete=keep_text)


def _tell(own: Serving, url: str) -> None:
    """To who started it; where programs read the log, as its first lines."""
    told = [f"serving at {url}"]
    if own.journal:
        told.append(f"what is heard and answered is kept in {journal_folder()}")
    if own.host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        from decalage.app.server.running import own_address  # noqa: PLC0415 - an extra, as above

        told.append(f"others reach it at {url.replace(own.host, own_address())}")
        if own.tls_cert is None:
            told.append("there a browser lends its microphone over HTTPS only; docs/serving.md")
    if own.log_format == "text":
        told.append("Ctrl-C ends it, once what was said is answered")
    for line in told:
        if own.log_format == "json":
            logger.info(line)
        else:
            click.echo(f"decalage: {line}", err=True)
