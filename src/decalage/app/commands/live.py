"""``decalage live``: a microphone, or any other input device, as captions."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import click

from decalage.app.commands.captioning import Outputs, caption, tell
from decalage.app.commands.declared import declared_live, effective, told
from decalage.app.compose import open_microphone
from decalage.app.journaled import Kept
from decalage.app.keys import Keys
from decalage.app.options import config_option
from decalage.app.outputs import tells_words
from decalage.app.settings import Settings
from decalage.app.transcripts import drop_empty, make_transcript, new_transcript
from decalage.contracts import AudioSource
from decalage.errors import MissingPartError
from decalage.sources.microphone import SILENT_DB, MicrophoneSource
from decalage.sources.portaudio import devices
from decalage.store.journal_folders import journal_folder

_BARS = 12


class _KeptWhere(click.Option):
    """An option whose help ends with the folder of the journals, looked up when it is asked for."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        record = super().get_help_record(ctx)
        if record is None:
            return None
        names, told = record
        return names, told.replace(": in", f": in {journal_folder()}", 1)


@click.command(
    epilog="Each option can also be set in the environment as DECALAGE_OPTION, or in the config file."
)
@click.option(
    "--input",
    "wanted",
    envvar="DECALAGE_INPUT",
    metavar="NAME|N",
    help='What to listen to: a name, a part of one, or a number of "decalage devices".',
)
@click.option(
    "--save/--no-save",
    default=None,
    help="Keep the transcript, until you delete it, where no -o says otherwise.  "
    "[default: save; with --no-journal no-save]",
)
@click.option(
    "--journal/--no-journal",
    envvar="DECALAGE_JOURNAL",
    default=True,
    show_default=True,
    cls=_KeptWhere,
    help="Keep text until you delete it and, so that a crash loses nothing, sound for a week: in",
)
@declared_live
@config_option
def live(
    wanted: str | None,
    *,
    save: bool | None,
    journal: bool,
    verbose: int,
    **chosen: Any,
) -> int:
    """Caption a microphone, or what the machine plays, as it is heard.

    \b
    decalage live                              the default microphone
    decalage live --input "USB Audio" --to es  another one, in Spanish
    decalage live --input speakers.monitor     what the machine plays (Linux)

    Space pauses and goes on. Ctrl-C ends: what was said is captioned first. If the program or the machine
    dies, "decalage resume" captions the rest.
    """  # noqa: D301 - \b keeps click from filling the lines
    told(verbose)
    effective(click.get_current_context(), chosen)
    where = Outputs.taken(chosen)
    saved = journal if save is None else save  # who wants nothing kept says so once
    transcript = new_transcript() if saved and not where.outputs else None
    if transcript is not None:
        where = replace(where, outputs=(str(transcript), "-"))
    settings = Settings(**chosen, pace="realtime", words=tells_words(where.form, where.outputs))
    view = _View()
    with ExitStack() as stack:
        on_screen = sys.stdout is not None and sys.stdout.isatty() and where.form == "text"
        if on_screen:
            stack.enter_context(view.keys)

        def open_input() -> AudioSource:
            view.microphone, source = open_microphone(wanted, settings)
            if transcript is not None:
                stack.callback(drop_empty, transcript)
                make_transcript(transcript)
                tell(f"until you delete it there is a transcript in {transcript}")
            return source

        return caption(
            open_input,
            settings,
            where,
            given=wanted or "",
            status=view if on_screen else None,
            keeping=Kept(settings, tell) if journal else None,
        )


@click.command("devices")
def list_devices() -> None:
    """List what can be listened to; "monitor" hears what the machine plays."""
    found = devices()
    if not found:
        raise MissingPartError("no device to listen to; connect a microphone")
    width = max(len(device.name) for device in found)
    for device in found:
        number = "  " if device.number is None else f"{device.number:2}"
        notes = [note for note, is_so in (("default", device.default), ("monitor", device.monitor)) if is_so]
        line = f"{number}  {device.name:<{width}}  {device.channels} ch  {device.rate} Hz  {', '.join(notes)}"
        click.echo(line.rstrip())


class _View:
    """The line below the captions; looking for a key each time it is drawn."""

    def __init__(self) -> None:
        self.keys = Keys()
        self.microphone: MicrophoneSource | None = None

    def __call__(self) -> str:
        microphone = self.microphone
        if microphone is None:
            return "opening"
        if self.keys.pressed() == " ":
            microphone.resume() if microphone.paused else microphone.pause()
        return status_line(microphone, keys=self.keys.on)


def status_line(microphone: MicrophoneSource, *, keys: bool) -> str:
    """What the device does, its level, and what can be done."""
    if microphone.paused:
        return "paused · space goes on"
    if microphone.state == "lost":
        return f"{microphone.name} is gone; waiting for it to come back"
    if microphone.silent:
        return f"no sound from {microphone.name}: is it muted?"
    share = 1 - microphone.level_db / SILENT_DB
    bars = round(_BARS * max(0.0, min(1.0, share)))
    lost = f" · sound lost {microphone.overflows}×" if microphone.overflows else ""
    hint = " · space pauses" if keys else ""
    return f"listening {'▮' * bars}{'▯' * (_BARS - bars)}{lost}{hint}"
