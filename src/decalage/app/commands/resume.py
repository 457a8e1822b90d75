"""``decalage resume``: captions for what was heard when a session was cut off."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from decalage.app.commands.captioning import INTERRUPTED, Outputs, caption, tell
from decalage.app.commands.declared import declared_among, told
from decalage.app.commands.history_opened import named
from decalage.app.commands.history_tables import write
from decalage.app.options import LanguagesType, config_option
from decalage.app.outputs import check_outputs, tells_words
from decalage.app.resumed import Resumed, settings_of
from decalage.app.settings import Settings
from decalage.audio import seconds
from decalage.errors import UsageError, brief
from decalage.store.journal_folders import is_held, is_kept, journal_folder, sessions
from decalage.store.journal_unfinished import Reopened, Unfinished, unfinished


@click.command(
    epilog="Each option but --to can be set in the environment as DECALAGE_OPTION, or in the config file too."
)
@click.argument("given", metavar="[JOURNAL]", required=False)
@click.option("--list", "listing", is_flag=True, help="Show what can be resumed, the newest first.")
@click.option(
    "--to",
    "targets",
    type=LanguagesType(),
    default="",
    help="Languages of the captions that are new.  [default: those of the session]",
)
@declared_among(
    *("--runtime", "--workers", "--threads", "--format", "--output", "--show", "--offline", "--verbose")
)
@config_option
@click.pass_context
def resume(
    context: click.Context,
    /,
    given: str | None,
    *,
    listing: bool,
    targets: tuple[str, ...],
    verbose: int,
    **chosen: Any,
) -> int:
    """Caption what was heard when a session was cut off, and write all of its captions.

    \b
    decalage resume                  the newest session that has no end
    decalage resume -o talk.srt      all captions of it, those of before and the rest
    decalage resume --list           which there are

    JOURNAL is the name of a session or its folder. Sessions are kept by live, and by serve --journal.
    """  # noqa: D301 - \b keeps click from filling the lines
    told(verbose)
    root = journal_folder()
    if listing:
        if given is not None:
            raise UsageError(f"--list shows all; leave out {brief(given)}")
        return _list(root)
    chosen.update(trace=None, speak=False, voice=None)
    where = Outputs.taken(chosen)
    check_outputs(where.outputs, str(root))
    folder = _newest(root) if given is None else _named(root, given)
    if folder is None:
        return _nothing(root)
    if context.get_parameter_source("targets") is not ParameterSource.COMMANDLINE:
        targets = ()  # the settings of the next run say nothing of a session of before
    base = Settings(**chosen, targets=targets, words=tells_words(where.form, where.outputs))
    in_history = folder.parent.resolve() == root.resolve()
    with closing(Reopened(folder)) as journal:
        found = journal.found
        if found.content.ending == "closed" or not found.heard:
            how = f"; {_to_write(folder.name)}" if in_history else ""
            tell(f"nothing to resume in {folder}: all that was heard has its answer{how}")
            return 0
        tell(f"resuming {folder.name}: {_left(found)}")
        resumed = Resumed(journal, tell)
        code = caption(
            lambda: resumed.source, settings_of(found, base), where, given=str(folder), keeping=resumed
        )
    if code != INTERRUPTED and in_history and where.form == "text" and not where.outputs:
        tell(_to_write(folder.name))
    return code


def _nothing(root: Path) -> int:
    over = any(not is_held(each.folder) for each in sessions(root))
    tell(f"nothing to resume in {root}{'; ' + _to_write('last') if over else ''}")
    return 0


def _to_write(name: str) -> str:
    """How all captions of a session get into a file."""
    return f"to write it: decalage history export {name} -o talk.srt"


def _newest(root: Path) -> Path | None:
    found = next(unfinished(root), None)
    return None if found is None else found.content.folder


def _named(root: Path, given: str) -> Path:
    """The folder that is meant: itself, or named as in the history. Raises ``UsageError``."""
    if is_kept(Path(given)):
        return Path(given).absolute()
    names = [each.folder.name for each in sessions(root)]
    return root / named(given, names, "decalage resume --list", nothing=f"no session is kept in {root}")


def _list(root: Path) -> int:
    found = list(unfinished(root))
    write(map(_line, found))
    if not found:
        tell(f"nothing to resume in {root}")
    return 0


def _line(found: Unfinished) -> str:
    settings = found.content.settings
    languages = f"{settings.options.source} → {', '.join(settings.options.targets)}"
    return f"{found.content.folder.name}  {_left(found)}  {languages}  {settings.start.input}"


def _left(found: Unfinished) -> str:
    """How much of it has no answer, speech or not."""
    left_s = seconds(max(0, found.heard - found.answered))
    return f"{left_s:.1f} of {seconds(found.heard):.1f} s are without an answer"
