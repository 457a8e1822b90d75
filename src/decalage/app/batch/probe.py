"""How long files are, as their containers say, and which of a folder hold no sound."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from decalage.app.batch.plan import Task
from decalage.app.batch.work import passes
from decalage.errors import InputError
from decalage.runtimes.workers import WorkerPool
from decalage.sources.file import FileSource

logger = logging.getLogger(__name__)

_AT_ONCE = 4
"""Files that are opened at a time: most of it is waiting for the disk."""
_SILENT = "has no sound in it"
_SOUND = {
    *("3ga", "3gp", "aac", "ac3", "aif", "aifc", "aiff", "amr", "ape", "au", "avi", "caf"),
    *("dss", "dts", "f4v", "flac", "flv", "gsm", "m2ts", "m4a", "m4b", "m4v", "mka", "mkv"),
    *("mov", "mp2", "mp3", "mp4", "mpeg", "mpg", "mts", "mxf", "oga", "ogg", "ogv", "opus"),
    *("qt", "ra", "rm", "rmvb", "spx", "tta", "vob", "w64", "wav", "webm", "wma", "wmv"),
    *("wv",),
}
"""Endings of names that promise sound: such a file that cannot be read is told of."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found."""

    tasks: list[Task]
    """Those to be captioned, with their lengths."""
    lacking: list[Task]
    """Those that cannot be, each with why in its entry."""
    silent: list[Path]
    """Files of folders that are left out, for there is no sound in them."""


def probe(tasks: Sequence[Task], tell: Callable[[int], None]) -> Looked:
    """Look into the file of each of ``tasks``; ``tell`` is told how many have been looked at."""
    pool = WorkerPool("probe", _AT_ONCE)
    looked = Looked([], [], [])
    try:
        found = [pool.submit(_probed, task) for task in tasks]
        for number, (task, future) in enumerate(zip(tasks, found, strict=True), 1):
            probed = future.result()
            if probed is None:
                looked.silent.append(task.path)
            else:
                (looked.tasks if probed.entry.lack is None else looked.lacking).append(probed)
            tell(number)
        return looked
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _probed(task: Task) -> Task | None:
    """None: it was found in a folder and is no recording."""
    if task.entry.lack is not None:
        return task
    try:
        source = FileSource(str(task.path))
    except InputError as error:
        promised = task.path.suffix.lstrip(".").lower() in _SOUND and not str(error).endswith(_SILENT)
        if not task.entry.named and not promised:
            return None
        lack = None if passes(error) else str(error).removeprefix(str(task.path)).lstrip(": ")
        return replace(task, entry=replace(task.entry, lack=lack))
    except Exception as error:  # a worker's edge: it will be told when its turn has come
        logger.debug("%s: %s", task.path, error)
        return task
    source.stop()
    for _ in source:  # closes the file
        break
    length = source.duration_s
    longest = task.settings.duration_s
    return replace(task, duration_s=length if length is None or longest is None else min(length, longest))
