"""What a batch would do, without doing it. Reads the files whose content may be known, writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from decalage.app.batch.folder import ResultFolder
from decalage.app.batch.plan import Task, alike_in_size, find_reuse
from decalage.app.batch.standing import length, printable, speed_before, times
from decalage.store.files import sha256

Due: TypeAlias = Literal["new", "changed", "again", "done", "copy", "failed"]
"""``changed``: content or settings are others than those of the results that are there. ``again``: some
speech failed, or ``--again`` was asked for. ``copy``: made of another result set. ``failed``: it cannot be
read."""


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What is to be done of one task."""

    task: Task
    due: Due
    other: str | None = None
    """For ``copy``: what it is made of."""

    @property
    def captions(self) -> bool:
        """Whether it is to be captioned."""
        return self.due in ("new", "changed", "again")


def foresee(tasks: Sequence[Task], folder: ResultFolder) -> list[Foreseen]:
    """One for each of ``tasks``, in their order."""
    alike = alike_in_size(tasks, folder)
    captioned: dict[tuple[str, str], Task] = {}
    found = []
    for task in tasks:
        if task.entry.lack is not None:
            found.append(Foreseen(task, "failed"))
            continue
        digest = task.sha256 or (_digest(task) if task in alike else None)
        if digest is None:
            found.append(_due(task, digest, folder))
            continue
        reuse = find_reuse(task, digest, folder)
        first = captioned.get((digest, task.fingerprint))
        if reuse is not None:
            same = reuse.whole or reuse.record.name == task.name
            found.append(
                Foreseen(task, "done" if reuse.whole else "copy", None if same else reuse.record.name)
            )
        elif first is not None:
            found.append(Foreseen(task, "copy", first.name))
        else:
            captioned[digest, task.fingerprint] = task
            found.append(_due(task, digest, folder))
    return found


def lines(foreseen: Sequence[Foreseen], folder: ResultFolder) -> list[str]:
    """A line a file, then what there is to do in all, and how long that takes."""
    told = []
    for each in foreseen:
        task = each.task
        long = "?" if task.duration_s is None else length(task.duration_s)
        told.append(f"{each.due:<8} {long:>8}  {printable(task.path)}{_becomes(each)}")
    return [*told, _total(foreseen, folder)]


def _becomes(foreseen: Foreseen) -> str:
    task = foreseen.task
    if task.entry.lack is not None:
        return f": {printable(task.entry.lack)}"
    forms = ",".join(output.suffix for output in task.outputs)
    made = "" if foreseen.other is None else f", as {printable(foreseen.other)}"
    return f" → {printable(task.name)}.{{{forms}}}{made}"


def _total(foreseen: Sequence[Foreseen], folder: ResultFolder) -> str:
    todo = [each.task for each in foreseen if each.captions]
    sound_s = sum(task.duration_s or 0.0 for task in todo)
    told = f"{len(todo)} of {len(foreseen)} files to caption, {length(sound_s)}"
    unknown = sum(task.duration_s is None for task in todo)
    if unknown:
        told += f" and {unknown} of unknown length"
    speeds = {task.fingerprint: speed_before(folder.records, task.fingerprint) for task in todo}
    if not sound_s:
        return told
    known = [(task.duration_s or 0.0) / speed for task in todo if (speed := speeds[task.fingerprint])]
    if len(known) < len(todo):
        return f"{told}; how fast that goes is not known before it was done once"
    spent_s = sum(known)
    return f"{told}; about {length(spent_s)}, {times(sound_s / spent_s if spent_s else None)} as before"


def _due(task: Task, digest: str | None, folder: ResultFolder) -> Foreseen:
    before = folder.records.named(task.name)
    if before is None:
        return Foreseen(task, "new")
    same = (before.sha256, before.fingerprint) == (digest, task.fingerprint)
    unfit = before.quality == "incomplete" or not folder.records.is_fresh(before, task.name)
    return Foreseen(task, "again" if same and unfit else "changed")


def _digest(task: Task) -> str | None:
    """None for what cannot be read: that is told when it is done."""
    try:
        return sha256(task.path) if task.path.is_file() else None
    except OSError:
        return None
