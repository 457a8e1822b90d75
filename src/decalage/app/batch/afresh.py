"""``--again`` that goes on: which results are to be made anew, from one batch to the next.

A file in the folder of the results says since when each of them is; a batch that comes to its end removes
its own. One that was interrupted or killed leaves them, and the next ``--again`` goes on from there.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence

from decalage.app.batch.folder import ResultFolder
from decalage.app.batch.plan import Task


def read(folder: ResultFolder, tasks: Sequence[Task]) -> float | None:
    """Since when some of ``tasks`` are captioned again; None: none of them is. Raises ``OutputError``."""
    due = _due(folder)
    return min((due[task.name] for task in tasks if task.name in due), default=None)


def begin(folder: ResultFolder, tasks: Sequence[Task]) -> float:
    """All of ``tasks`` are captioned again, since then. Raises ``OutputError``."""
    since = read(folder, tasks)
    if since is None:
        since = math.floor(1000 * time.time()) / 1000  # as exact as a record
    folder.keep(_PLACE, json.dumps(_due(folder) | {task.name: since for task in tasks}, indent=1) + "\n")
    return since


def end(folder: ResultFolder, tasks: Sequence[Task]) -> None:
    """All of ``tasks`` have been. Raises ``OutputError``."""
    due = _due(folder)
    for task in tasks:
        due.pop(task.name, None)
    folder.keep(_PLACE, json.dumps(due, indent=1) + "\n" if due else None)


_PLACE = "again.json"


def _due(folder: ResultFolder) -> dict[str, float]:
    """Name of a result set → since when it is made anew; what cannot be read says nothing."""
    try:
        due = json.loads(folder.kept(_PLACE) or "{}")
    except (ValueError, RecursionError):
        return {}
    if not isinstance(due, dict):
        return {}
    return {name: since for name, since in due.items() if isinstance(since, int | float)}
