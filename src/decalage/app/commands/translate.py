"""``decalage translate``: a file, URL or raw sound in, captions out."""

from __future__ import annotations

from typing import Any

import click

from decalage.app.commands.captioning import Outputs, caption
from decalage.app.commands.declared import declared, effective, told
from decalage.app.compose import open_source
from decalage.app.options import config_option
from decalage.app.outputs import tells_words
from decalage.app.settings import Settings


@click.command(
    epilog="Each option can also be set in the environment as DECALAGE_OPTION, or in the config file."
)
@click.argument("given", metavar="INPUT")
@declared
@config_option
def translate(
    given: str,
    *,
    verbose: int,
    **chosen: Any,
) -> int:
    """Translate a file, a URL, or raw PCM16 mono 16 kHz on standard input (-).

    \b
    decalage translate talk.mp4                      captions on screen
    decalage translate talk.mp4 --pace realtime      as they would appear live
    decalage translate talk.mp4 -o talk.jsonl        every event, one a line
    arecord -t raw -f S16_LE -r 16000 | decalage translate - --pace realtime
    """  # noqa: D301 - \b keeps click from filling the lines
    told(verbose)
    effective(click.get_current_context(), chosen)
    where = Outputs.taken(chosen)
    settings = Settings(**chosen, words=tells_words(where.form, where.outputs))
    return caption(lambda: open_source(given, settings), settings, where, given=given)
