"""``decalage listen``: the captions of a session that somebody else speaks into."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from decalage.app.client import relay
from decalage.app.client.client import Client
from decalage.app.commands.declared import declared_among, told
from decalage.app.commands.speak import Written, conclude, tell
from decalage.sinks.together import Complaints


@click.command(epilog="Each option can also be set in the environment as DECALAGE_OPTION.")
@click.argument("url", metavar="URL")
@click.argument("listen_id", metavar="[LISTEN_ID]", required=False)
@click.option(
    "--to",
    "target",
    metavar="LANG",
    help="Language of the captions (BCP 47).  [default: that of the link, else all]",
)
@click.option(
    "--partials/--no-partials",
    default=True,
    show_default=True,
    help="Captions that grow while a person speaks.",
)
@declared_among("--format", "--output", "--show", "--verbose")
def listen(
    url: str,
    listen_id: str | None,
    *,
    target: str | None,
    partials: bool,
    verbose: int,
    **chosen: Any,
) -> int:
    """Read along: the captions of a session, from the last fifty on, until it is over.

    \b
    decalage listen "http://127.0.0.1:8765/?listen=Zt8…&to=pt"     the link that speak tells
    decalage listen http://127.0.0.1:8765 Zt8… --to es             in another language
    decalage listen http://127.0.0.1:8765 Zt8… -o talk.srt         subtitles

    Ctrl-C ends. A lost connection is made again, and no caption is missed.
    """  # noqa: D301 - \b keeps click from filling the lines
    told(verbose)
    written = Written.taken(chosen)
    written.check("-")
    client = Client(url, tell=tell)
    events = client.listen(listen_id, target=target, partials=partials)
    incomplete = Complaints(tell)
    return conclude(relay.listen(events, partial(written.open, incomplete)), incomplete)
