"""``decalage history delete`` and ``rebuild``: sessions gone for good, and a damaged history made again."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from math import isnan
from pathlib import Path

import click

from decalage.app.commands.captioning import tell
from decalage.app.commands.history_opened import LAST, named, opened, some
from decalage.app.commands.history_tables import cut, local
from decalage.app.transcripts import transcripts_of
from decalage.errors import UsageError
from decalage.sinks.captions import clean
from decalage.store.history import History
from decalage.store.history_database import history_path
from decalage.store.history_upkeep import damaged_path, delete_database, forget, rebuild
from decalage.store.history_values import Listed
from decalage.store.journal_folders import is_written, journal_folder

_MOST_DAYS = 36_500
"""Before that nobody has said anything into a computer."""
_WORDS = 40
"""Columns of the first words in a question."""
_TOLD = 3
"""Transcripts that are named."""


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--all", "everything", is_flag=True, help="All that has ended.")
@click.option(
    "--older-than",
    "days",
    type=click.FloatRange(min=0, max=_MOST_DAYS),
    metavar="DAYS",
    help="All that began earlier than that.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete(names: tuple[str, ...], everything: bool, days: float | None, yes: bool) -> int:
    """Delete sessions for good.

    Their sound, captions and translations. Files that were exported, and transcripts that live saved, stay.
    """
    if (bool(names), everything, days is not None).count(True) != 1:
        raise UsageError("name the sessions to delete, or --all, or --older-than DAYS")
    if days is not None and isnan(days):
        raise UsageError("--older-than takes a number of days")
    root = journal_folder()
    with opened() as (kept, upkeep):
        ended = sorted({*kept.stamps(), *upkeep.unreadable})
        if names:
            chosen = _asked_for(names, ended, upkeep.written)
        else:
            before = "~" if days is None else f"{datetime.now(UTC) - timedelta(days=days):%Y%m%dT%H%M%SZ}"
            chosen = [name for name in ended if name < before]
        going_on = [name for name in chosen if is_written(root / name)]
        if names and going_on:
            raise UsageError(f"{some(going_on)} is being written; end it first")
        chosen = [name for name in chosen if name not in going_on]
        if chosen and not (yes or _confirmed(chosen, kept.listed())):
            return 0
        saved = _saved(kept, chosen)
        forget(kept, root, chosen)
    tell(f"deleted: {some(chosen)}" if chosen else "nothing to delete")
    _tell_of_saved(saved)
    _clear_away(history_path(), everything=everything)
    left = [] if names else sorted({*going_on, *upkeep.written})
    if left:
        tell(f"{some(left)} goes on and was left")
    return 1 if left else 0


def _asked_for(given: Sequence[str], ended: Sequence[str], written: Sequence[str]) -> list[str]:
    """The sessions that are meant, each once."""
    everyone = sorted({*ended, *written})
    return list(dict.fromkeys(named(each, ended if each == LAST else everyone) for each in given))


def _confirmed(chosen: Sequence[str], listed: Iterable[Listed]) -> bool:
    if sys.stdin is None or not sys.stdin.isatty():
        raise UsageError(f"nobody can be asked whether to delete {some(chosen)}; add --yes")
    count = "one session" if len(chosen) == 1 else f"{len(chosen)} sessions"
    known = {each.name: each for each in listed}
    described = [_described(name, known.get(name)) for name in chosen]
    return click.confirm(f"Delete {count} for good: {some(described)}?", err=True)


def _described(name: str, session: Listed | None) -> str:
    """A session as a person knows it again; None: it cannot be read."""
    if session is None:
        return name
    return f"{name} ({local(session.began)}, {cut(clean(session.first_words), _WORDS) or 'no words'})"


def _saved(kept: History, chosen: Iterable[str]) -> list[Path]:
    """Transcripts that ``live`` saved of these sessions."""
    there = kept.stamps()
    return transcripts_of(kept.read(name).events for name in chosen if name in there)


def _tell_of_saved(paths: Sequence[Path]) -> None:
    if len(paths) > _TOLD:
        tell(f"{len(paths)} transcripts of these stay in {paths[0].parent}")
        return
    for path in paths:
        tell(f"its transcript stays: {path}")


def _clear_away(path: Path, *, everything: bool) -> None:
    """What ``rebuild`` could not read may hold any session."""
    damaged = damaged_path(path)
    if everything:
        delete_database(damaged)
    elif damaged.is_file():
        tell(f"{damaged} may hold it still; delete that file once nothing is missed")


@click.command("rebuild")
def rebuild_history() -> None:
    """Make a damaged history again.

    Of what can be read in it, and of the journals that are still kept.
    """
    made = rebuild(history_path(), journal_folder())
    tell(f"{made.kept} sessions are in the history")
    if made.lost:
        tell(f"lost: {some(made.lost)}")
    if made.damaged is not None:
        tell(f"what could not be read is in {made.damaged}; delete it once nothing is missed")
