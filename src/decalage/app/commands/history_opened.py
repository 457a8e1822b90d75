"""The history for a command that asks it: up to date, and which session is meant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from decalage.app.commands.captioning import tell
from decalage.errors import InputError, OutputError
from decalage.store.history import History
from decalage.store.history_upkeep import Upkeep, catch_up
from decalage.store.journal_folders import is_written, journal_folder

LAST = "last"
"""Names the newest session."""
NOTHING = "nothing is kept yet; decalage live keeps what is said"
"""Told where there is no session."""
_TOLD = 3
"""Sessions that a message names."""


@contextmanager
def opened() -> Iterator[tuple[History, Upkeep]]:
    """The history, up to date; what is wrong with a journal is told and keeps nobody from the others."""
    with History() as history:
        try:
            upkeep = catch_up(history, journal_folder())
        except OutputError as error:  # a full disk: what is kept can be read
            upkeep = Upkeep((), (), (str(error),))
        for line in upkeep.told:
            tell(line)
        yield history, upkeep


def named(
    given: str, names: Sequence[str], listing: str = "decalage history", *, nothing: str = NOTHING
) -> str:
    """The one of ``names``, the newest last, that is meant; ``listing`` tells them.

    Raises ``InputError``, which says ``nothing`` where there are none.
    """
    if given == LAST and names:
        return names[-1]
    given = Path(given).name  # where a journal is kept has been told as a folder
    fitting = [given] if given in names else [name for name in names if given and name.startswith(given)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise InputError(f"{given} is the beginning of {some(fitting)}; write more of it")
    if is_written(journal_folder() / given):
        raise InputError(f"{given} is being written, and in the history when it has ended")
    if not names:
        raise InputError(nothing)
    raise InputError(f"no session {given!r} is kept; {listing} lists them")


def some(names: Sequence[str]) -> str:
    """``names`` in a message: the first, and how many more."""
    more = f" and {len(names) - _TOLD} more" if len(names) > _TOLD else ""
    return ", ".join(names[:_TOLD]) + more
