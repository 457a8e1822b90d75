"""``decalage history``: what was said, kept until it is deleted: listed, searched, exported, translated."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import click

from decalage.app.commands.captioning import tell
from decalage.app.commands.declared import declared_among
from decalage.app.commands.history_deletion import delete, rebuild_history
from decalage.app.commands.history_languages import (
    check_kept,
    check_languages,
    languages_of_names,
    nothing_to_translate,
)
from decalage.app.commands.history_opened import NOTHING, named, opened, some
from decalage.app.commands.history_tables import (
    hit_lines,
    hits_as_json,
    session_lines,
    sessions_as_json,
    write,
)
from decalage.app.options import LanguagesType
from decalage.app.outputs import check_outputs, open_sinks
from decalage.app.retranslation import Passage, Retranslation, find_ways, load_translator, passages
from decalage.config import Term
from decalage.errors import UsageError
from decalage.events import Event
from decalage.languages import primary
from decalage.sinks.captions import Show
from decalage.sinks.terminal import TerminalSink
from decalage.sinks.video import FORM as VIDEO
from decalage.store.history import History
from decalage.store.history_sound import kept_sound
from decalage.store.history_upkeep import Upkeep
from decalage.store.history_values import Listed, read_in, rendered
from decalage.store.journal_folders import is_kept, journal_folder

_to = click.option(
    "--to", "languages", type=LanguagesType(), metavar="LANG[,LANG…]", help="Only these translations."
)
_json = click.option("--json", "as_object", is_flag=True, help="One JSON object on standard output.")


@click.group(invoke_without_command=True)
@_json
@click.pass_context
def history(context: click.Context, as_object: bool) -> None:
    """List what was said while a journal was kept, and search, show, export, translate or delete it.

    \b
    decalage history                           every session, the newest last
    decalage history search pais               where that was said; país too
    decalage history export last -o talk.srt   the newest as subtitles
    decalage history translate last --to es    another language, searched and exported as the others

    NAME is the name of a session, as much of its beginning as no other has, or "last".
    """  # noqa: D301 - \b keeps click from filling the lines
    if context.invoked_subcommand is not None:
        if as_object:
            raise UsageError(f"--json goes behind {context.invoked_subcommand}")
        return
    with opened() as (kept, upkeep):
        found = kept.listed()
    if as_object:
        write([sessions_as_json(found, upkeep.written)])
        return
    if found:
        write(session_lines(found, _columns()))
    _tell_of(found, upkeep)


def _columns() -> int | None:
    """Of the terminal, if a person sees the table."""
    return shutil.get_terminal_size().columns if sys.stdout is not None and sys.stdout.isatty() else None


def _tell_of(found: Sequence[Listed], upkeep: Upkeep) -> None:
    """What the table does not say."""
    if not found and not upkeep.written:
        tell(NOTHING)
    if upkeep.written:
        tell(f"{some(upkeep.written)} goes on, and is in the history when it has ended")
    root = journal_folder()
    cut_off = [each.name for each in found if each.ending != "closed" and is_kept(root / each.name)]
    if cut_off:
        tell(f"{some(cut_off)} was cut off; decalage resume captions what has no caption yet")


@history.command()
@click.argument("words", nargs=-1, required=True)
@click.option("--language", metavar="LANG", help="Only where it was said or translated so in this language.")
@click.option(
    "--limit", type=click.IntRange(min=1), default=20, show_default=True, help="The newest so many."
)
@_json
def search(words: tuple[str, ...], language: str | None, limit: int, as_object: bool) -> None:
    """Find where words were said.

    All of WORDS stand in one caption, or in one translation of it. Case and accents make no difference; a
    word that ends in * finds those that begin so.
    """
    wanted = None if language is None else primary(language)
    with opened() as (kept, _):
        if wanted is not None:
            check_kept(wanted, kept.languages())
        found = kept.search(words, language=wanted, limit=limit)
    if as_object:
        write([hits_as_json(found)])
        return
    write(hit_lines(found))
    if not found.hits:
        tell("nothing found")
    elif found.total > len(found.hits):
        tell(f"the newest {len(found.hits)} of {found.total}; --limit {found.total} shows all")


def _events(
    kept: History, name: str, languages: Sequence[str] | None, also: Sequence[str] = ()
) -> list[Event]:
    """What was told in that session, with what it was translated into since.

    Raises ``UsageError`` where it has no captions in one of ``languages``, or in one that is ``also`` needed.
    """
    events = rendered(kept.read(name).events, kept.renditions(name))
    check_languages(name, events, [*(languages or ()), *also])
    return events if languages is None else read_in(events, languages)


def _primaries(languages: tuple[str, ...] | None) -> list[str] | None:
    return None if languages is None else [primary(each) for each in languages]


@history.command()
@click.argument("name")
@declared_among("--format", "--show")
@_to
def show(name: str, form: str, show: Show | None, languages: tuple[str, ...] | None) -> None:
    """Print the transcript of a session."""
    with opened() as (kept, _):
        events = _events(kept, named(name, list(kept.stamps())), _primaries(languages))
    with ExitStack() as stack:
        for sink in open_sinks(form, (), show=show, live=False):
            stack.callback(sink.close)
            for event in events:
                sink.write(event)


@history.command()
@click.argument("name")
@declared_among("--output", "--format", "--show")
@_to
def export(
    name: str, outputs: tuple[str, ...], form: str, show: Show | None, languages: tuple[str, ...] | None
) -> None:
    """Write a session to files.

    By extension, as its captions would have been written live. A name such as talk.es.srt takes that
    language; .mkv holds the sound too, while its journal is kept.
    """
    if not outputs:
        raise UsageError("no file to write; name one, for example -o talk.srt")
    wanted = _primaries(languages)
    asked = languages_of_names(outputs, show, wanted)
    with opened() as (kept, _):
        session = named(name, list(kept.stamps()))
        events = _events(kept, session, wanted, asked)
    with ExitStack() as stack:
        given = "-"
        if any(Path(path).suffix == f".{VIDEO}" for path in outputs):
            given = str(stack.enter_context(kept_sound(journal_folder() / session)))
        check_outputs(outputs, given)
        sinks = open_sinks(form, outputs, show=show, live=False, given=given)
        if "-" not in outputs:  # what is exported was seen before
            sinks = [sink for sink in sinks if not isinstance(sink, TerminalSink)]
        for sink in sinks:
            stack.callback(sink.close)
        for event in events:
            for sink in sinks:
                sink.write(event)
        for sink in sinks:
            sink.close()


@history.command()
@click.argument("name")
@click.option(
    "--to",
    "targets",
    type=LanguagesType(),
    required=True,
    metavar="LANG[,LANG…]",
    help="Languages to translate into.",
)
@declared_among("--terms")
@click.option("--again", is_flag=True, help="Also what is in that language already: it is replaced.")
def translate(name: str, targets: tuple[str, ...], terms: tuple[Term, ...], again: bool) -> int:
    """Translate a transcript into more languages.

    What comes of it is kept beside the transcript, searched and exported as the rest. No sound is recognized
    again. The terms of the session are held to, or those that --terms gives.
    """
    wanted = tuple(dict.fromkeys(primary(target) for target in targets))
    with opened() as (kept, _):
        session = named(name, list(kept.stamps()))
        told = kept.read(session)
        events = rendered(told.events, kept.renditions(session))
        todo = passages(events, wanted, again=again)
        for language in wanted:
            if not any(language in each.targets for each in todo):
                tell(nothing_to_translate(session, events, language))
        if not todo:
            return 0
        work = Retranslation(load_translator(find_ways(todo)), terms or told.settings.options.terms)
        with _bar(todo) as bar:
            for passage in bar:
                work.add(passage)
        failed = 0
        for rendition in work.renditions():
            kept.add(session, rendition)
            failed += len(rendition.errors)
            for utterance, error in rendition.errors.items():
                tell(f"utterance {utterance} has no {rendition.language} ({error})")
            count = len(rendition.text)
            tell(f"{session}: {count} of {count + len(rendition.errors)} captions in {rendition.language}")
    return 1 if failed else 0


def _bar(todo: Sequence[Passage]) -> AbstractContextManager[Iterable[Passage]]:
    """``todo``, with how far it is where a person sees it."""
    hidden = sys.stderr is None or not sys.stderr.isatty()
    return click.progressbar(todo, label="translating", file=sys.stderr, hidden=hidden)


history.add_command(delete)
history.add_command(rebuild_history)
