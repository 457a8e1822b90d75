"""``decalage serve``: a room full of listeners, over WebSockets and a page."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from decalage.app.commands.declared import declared_among
from decalage.app.options import LanguagesType, config_option
from decalage.app.settings import Settings, overcommitted, unheard_terms
from decalage.errors import MissingPartError, UsageError
from decalage.store.journal import Journal
from decalage.store.journal_folders import journal_folder
from decalage.store.journal_settings import Models

if TYPE_CHECKING:
    from decalage.app.server.running import Running

logger = logging.getLogger(__name__)

_INTERRUPTED = 130
_MEGABYTE = 1_000_000


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
    (("--open", "open_door"), {"is_flag": True, "help": "Let other machines speak without a token."}),
    (
        ("--allow-origin",),
        {"multiple": True, "metavar": "URL", "help": "A site whose pages may connect. Repeatable."},
    ),
    (
        ("--allow-host",),
        {"multiple": True, "metavar": "NAME", "help": "A name this server goes by. Repeatable."},
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
    "--verbose",
)
@config_option
def serve(*, verbose: int, **chosen: Any) -> int:
    """Serve captions: a page to speak in, links to read along, an overlay, an API.

    \b
    decalage serve                                    http://127.0.0.1:8765/ on this machine
    decalage serve --host 0.0.0.0 --token SECRET      for others too; docs/serving.md
    decalage serve --to pt,es                         what speakers get who choose nothing
    """  # noqa: D301 - \b keeps click from filling the lines
    own = Serving(**{name: chosen.pop(name) for name in Serving.__slots__})
    settings = Settings(**chosen, pace="realtime")
    try:
        from decalage.app.server.logs import configure  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingPartError(
            f"the server is not installed: pip install 'decalage[server]' ({error})"
        ) from error
    configure(own.log_format, verbose)
    running, close = _made(own, settings)
    try:
        bound, url = running.listen()
        for caution in filter(None, (overcommitted(settings), unheard_terms(settings))):
            click.echo(f"decalage: {caution}", err=True)
        asyncio.run(running.until_stopped(bound, lambda: _tell(own, url)))
    finally:
        close()
    return _INTERRUPTED if running.stopped_by == signal.SIGINT else 0


def _made(own: Serving, settings: Settings) -> tuple[Running, Callable[[], None]]:
    """The server, its models loaded, and what frees them. Raises ``UsageError`` before it loads any."""
    from decalage.app.server.booth import Booth  # noqa: PLC0415 - an extra, as above
    from decalage.app.server.door import Door, is_loopback, names_of  # noqa: PLC0415
    from decalage.app.server.protocol import Limits  # noqa: PLC0415
    from decalage.app.server.running import Address, Running  # noqa: PLC0415
    from decalage.app.server.uploads import FileLimits  # noqa: PLC0415
    from decalage.app.server.web import Service  # noqa: PLC0415

    local = own.uds is not None or is_loopback(own.host)
    if not local and own.token is None and not own.open_door:
        raise UsageError(
            f"other machines reach --host {own.host}: add --token SECRET, or --open to let anybody speak"
        )
    if (own.tls_cert is None) != (own.tls_key is None):
        raise UsageError("--tls-cert and --tls-key go together")
    hosts = names_of(own.host, own.allow_host) if local and own.uds is None and own.token is None else None
    door = Door(token=own.token or None, hosts=hosts, origins=own.allow_origin)
    limits = Limits(
        sessions=own.sessions, session_s=own.session_limit, idle_s=own.idle_limit, grace_s=own.grace
    )
    address = Address(host=own.host, port=own.port, uds=own.uds, certificate=own.tls_cert, key=own.tls_key)
    with ExitStack() as made:
        journal = _journal(settings) if own.journal else None
        if journal is not None:
            made.callback(journal.close)  # once nothing more is answered
        booth = Booth(settings, own.languages or None)
        made.callback(booth.close)
        files = FileLimits(upload_bytes=own.upload_limit * _MEGABYTE)
        service = Service(booth, door, limits, files, journal=journal)
        return Running(service, address, drain_s=own.drain), made.pop_all().close


def _journal(settings: Settings) -> Journal:
    """Where sessions are kept. Raises ``OutputError``."""
    folder = Path(settings.model)
    models = Models(
        model=str(folder.absolute()) if folder.is_dir() else settings.model,
        device=settings.device,
        compute_type=settings.compute_type,
        engine=settings.engine,
    )
    return Journal(models)


def _tell(own: Serving, url: str) -> None:
    """To who started it; where programs read the log, as its first lines."""
    told = [f"serving at {url}"]
    if own.journal:
        told.append(f"what is heard and answered is kept in {journal_folder()}")
    if own.host in ("0.0.0.0", "::") and own.tls_cert is None:  # noqa: S104 - compared, not bound
        told.append("browsers give a page the microphone over HTTPS only; docs/serving.md")
    if own.log_format == "text":
        told.append("Ctrl-C ends it, once what was said is answered")
    for line in told:
        if own.log_format == "json":
            logger.info(line)
        else:
            click.echo(f"decalage: {line}", err=True)
