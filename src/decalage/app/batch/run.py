"""A batch from its first model to its last file, and how a person ends it early."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from types import FrameType

from decalage.app.batch.folder import ResultFolder
from decalage.app.batch.outcome import Outcome
from decalage.app.batch.plan import Task
from decalage.app.batch.runner import Batch
from decalage.app.batch.screen import watching
from decalage.app.batch.work import RuntimeHearing
from decalage.app.compose import ModelBlueprint, make_blueprint, make_runtime
from decalage.app.settings import Settings
from decalage.app.stopping import catch
from decalage.errors import DecalageError

_STOPPED = b"\ndecalage: finishing the files in work; once more (Ctrl-C, SIGTERM) drops them\n"


@dataclass(frozen=True, slots=True)
class Ended:
    """What a batch gave."""

    outcomes: Sequence[Outcome]
    wall_s: float = 0.0
    """Without the time that models took to load."""
    stops: Sequence[int] = ()
    """The signals that asked it to end early, in order."""
    fatal: DecalageError | None = None
    """Why nothing more could be done."""

    @property
    def orderly(self) -> bool:
        """Whether SIGTERM or a closed terminal stopped it, once, and nothing was dropped."""
        return len(self.stops) == 1 and self.stops[0] != signal.SIGINT


def caption_all(
    tasks: Sequence[Task],
    folder: ResultFolder,
    settings: Settings,
    blueprints: Mapping[Settings, ModelBlueprint],
    *,
    streams: int | None,
    retries: int,
) -> Ended:
    """Load the models, once, and caption ``tasks``, ``streams`` at a time; None: as keeps the workers busy.

    ``blueprints``: for each of the settings that tasks have. Ctrl-C, SIGTERM and a closed terminal end it.
    """
    directions = {pair: path for each in blueprints.values() for pair, path in each.directions.items()}
    shared = make_blueprint(settings, directions=directions) if len(blueprints) > 1 else None
    with ExitStack() as stack:
        runtime = make_runtime(settings, shared or next(iter(blueprints.values())))
        stack.callback(runtime.close)
        watch = stack.enter_context(watching(tasks))
        work = Batch(
            tasks,
            folder,
            RuntimeHearing(runtime, blueprints),
            watch,
            streams=lambda: streams or streams_for(runtime.options.workers),
            retries=retries,
            let_go=runtime.close,
        )
        with signals(work) as came:
            outcomes = work.run()
        return Ended(outcomes, watch.standing.wall_s, came, work.fatal)


def streams_for(workers: int) -> int:
    """Files at a time that keep ``workers`` recognizers busy.

    A long file does that alone, but one of a single sentence is mostly being opened, cut, translated or put
    into its place. Two for each recognizer keep 94 % of their time for files of 6 s, three no more than 97 %.
    """
    return 2 * workers


@contextmanager
def signals(work: Batch) -> Iterator[list[int]]:
    """Ctrl-C, SIGTERM and a closed terminal begin no file more; the second of them drops those in work.

    What this program was started to ignore, by ``nohup`` or in the background, it ignores.
    """
    came: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        if number in came and number == getattr(signal, "SIGHUP", None):
            return  # a terminal that closes says so more than once
        came.append(number)
        if len(came) == 1:
            with suppress(OSError):  # the terminal may be what closed
                os.write(2, _STOPPED)  # a buffered write could be what was interrupted
        work.stop()

    before = catch(stop)
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
