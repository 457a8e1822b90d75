"""Which rows of a manifest are evaluated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Literal, TypeAlias

from decalage.app.evaluate.manifest import Recording
from decalage.app.texts import read_utf8
from decalage.errors import UsageError

Split: TypeAlias = Literal["all", "tuning", "held-out"]
Trust: TypeAlias = Literal["gold", "all"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What was asked for; nothing named takes everything."""

    source: str
    """Language of the speech; primary, like the targets."""
    targets: tuple[str, ...]
    sets: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    """Parts of the kind, any of which is enough."""
    ids: tuple[str, ...] | None = None
    split: Split = "all"
    trust: Trust = "gold"
    """``gold`` leaves out transcripts that are not certain."""
    text: bool = False
    """Translate the transcripts of recordings instead of hearing them."""
    limit: int | None = None


def choose(rows: Sequence[Recording], choice: Choice) -> tuple[list[Recording], Counter[str]]:
    """The rows to evaluate in the manifest's order, and why others cannot be, counted.

    What an option leaves out is not counted. Raises ``UsageError`` for a set, kind or id that is
    nowhere, and when nothing is left.
    """
    left: Counter[str] = Counter()
    able = []
    for each in rows:
        row = each
        if choice.text and each.transcript and each.translation:
            row = replace(each, path=None, spoken_in=each.path)
        reason = _unable(row, choice)
        if reason is None:
            able.append(row)
        else:
            left[reason] += 1
    _check(rows, able, choice)
    chosen = [row for row in able if _asked(row, choice)]
    if not chosen:
        told = ", ".join(f"{count} {reason}" for reason, count in left.items()) or "the options leave none"
        raise UsageError(f"nothing to evaluate: {told}")
    return list(islice(chosen, choice.limit)), left


def _unable(row: Recording, choice: Choice) -> str | None:
    """Why ``row`` cannot be evaluated."""
    if row.expect == "empty":
        return "without text" if choice.text else None
    without = f"without a translation into {' or '.join(choice.targets)}"
    reasons = (
        (row.expect != "transcript", "neither with a transcript nor to stay empty"),
        (row.language != choice.source, f"not in {choice.source}"),
        (row.path is None and row.reference(choice.targets) is None, without),
        (choice.text and row.path is not None, "without transcript and translation"),
        (choice.trust == "gold" and not row.gold, "with uncertain references (--references all takes them)"),
    )
    return next((reason for true, reason in reasons if true), None)


def _asked(row: Recording, choice: Choice) -> bool:
    wanted = choice.split == "all" or row.held_out == (choice.split == "held-out")
    if choice.sets:
        wanted &= row.set_name in choice.sets
    if choice.kinds:
        wanted &= any(kind.lower() in row.kind.lower() for kind in choice.kinds)
    return wanted and (choice.ids is None or row.id in choice.ids)


def _check(rows: Sequence[Recording], able: Sequence[Recording], choice: Choice) -> None:
    sets = list(dict.fromkeys(row.set_name for row in able))
    for name in choice.sets:
        if name not in sets:
            raise UsageError(f"no set {name!r}; there are: {', '.join(sets) or 'none'}")
    for kind in choice.kinds:
        if not any(kind.lower() in row.kind.lower() for row in able):
            raise UsageError(f"no recording is of kind {kind!r}")
    known = {row.id for row in rows}
    unknown = [name for name in choice.ids or () if name not in known]
    if unknown:
        raise UsageError(f"the manifest has no {unknown[0]!r}; ids are those of its rows")


def read_ids(path: Path) -> tuple[str, ...]:
    """One id a line. Raises ``InputError``."""
    return tuple(line.strip() for line in read_utf8(path).splitlines() if line.strip())
