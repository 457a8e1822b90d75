"""``--again`` that goes on: which results are to be made anew, from one batch to the next.

A file in the folder of the results says since when each of them is; a batch that comes to its end removes
its own. One that was interrupted or killed leaves them, and the next ``--again`` goes on from there.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence

from decalage.app.batch.folder import ResultFolder
from decalage.app.batch.plan import Task


def since_when(folder: ResultFolder, tasks: Sequence[Task]) -> tuple[Mapping[str, float], float | None]:
    """Since when the set of each of ``tasks`` has to have been captioned, for ``--again``, by name.

    Now, but for those that an ``--again`` before left in the middle: since that began, which is given too.
    Raises ``OutputError``.
    """
    now = math.floor(1000 * time.time()) / 1000  # as exact as a record
    due = _due(folder)
    before = {task.name: due[task.name] for task in tasks if task.name in due}
    known = {name: folder.records.named(name) for name in before}
    if all(record is not None and record.began >= before[name] for name, record in known.items()):
        before = {}  # nothing of it is left
    since = {task.name: before.get(task.name, now) for task in tasks}
    return since, min(before.values(), default=None)


def begin(folder: ResultFolder, since: Mapping[str, float]) -> None:
    """The sets of these names are made anew. Raises ``OutputError``."""
    folder.keep(json.dumps({**_due(folder), **since}, indent=1) + "\n")


def end(folder: ResultFolder, since: Mapping[str, float]) -> None:
    """They have been. Raises ``OutputError``."""
    due = {name: when for name, when in _due(folder).items() if name not in since}
    folder.keep(json.dumps(due, indent=1) + "\n" if due else None)


def _due(folder: ResultFolder) -> Mapping[str, float]:
    """Name of a result set → since when it is made anew; what cannot be read says nothing."""
    try:
        due = json.loads(folder.kept() or "{}")
    except (ValueError, RecursionError):
        return {}
    if not isinstance(due, dict):
        return {}
    return {name: when for name, when in due.items() if isinstance(when, int | float) and math.isfinite(when)}
