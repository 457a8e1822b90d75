"""Many files through one runtime, several at a time.

::

    waiting ─▶ examine ─▶ decide ─▶ caption ─▶ again? ─▶ commit ─▶ outcome
               stamp,     done, or  sound to    waits     into its
               hash       made of   a result    anew      place
                          others,   set
                          or new
    └ main ─┘ └ worker ┘ └ main ─┘ └ worker ┘ └ main ─┘ └ worker ┘ └ main ┘

One thread decides, and owns all that is known; the workers tell it what they found through its queue, and so
does a signal handler. A file whose content is being captioned under another name waits for that.

Stopping: ``stop`` begins no file more and ends those in work; a second ``stop`` drops them.
"""

from __future__ import annotations

import logging
import queue
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeAlias, TypeVar

from decalage.app.batch.folder import ResultFolder
from decalage.app.batch.jobs import Examined, GivenUpError, Watch, caption, examine, remake
from decalage.app.batch.outcome import How, Outcome, State
from decalage.app.batch.plan import Reuse, Task, find_reuse
from decalage.app.batch.record import Record
from decalage.app.batch.work import Attempt, Hearing, failed, is_last, last_word
from decalage.errors import DecalageError, MalformedEventError
from decalage.flow.stopping import StopSignal
from decalage.runtimes.workers import WorkerPool

logger = logging.getLogger(__name__)

MOST_STREAMS = 512
"""Files at a time; their threads are started as they are needed."""
_LEAVE_S = 5.0
"""Workers that have not dropped their file by then are left behind."""

Key: TypeAlias = tuple[str, str]
"""Content and settings."""

Found = TypeVar("Found")


class Batch:
    """``run`` once; ``stop`` from any thread, or a signal handler."""

    def __init__(
        self,
        tasks: Sequence[Task],
        folder: ResultFolder,
        hearing: Hearing,
        watch: Watch,
        *,
        streams: Callable[[], int],
        retries: int = 1,
        let_go: Callable[[], None] = lambda: None,
    ) -> None:
        """``streams`` files at a time, asked for each one: workers may come and go.

        What fails in passing has ``retries`` more tries. ``let_go`` ends all hearing at once.
        """
        self._tasks = list(tasks)
        self._folder = folder
        self._hearing = hearing
        self._watch = watch
        self._streams = streams
        self._retries = retries
        self._let_go = let_go
        # Bounded by the files in work, a message each, and by how often a person interrupts.
        self._queue: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._workers = WorkerPool("files", MOST_STREAMS)
        self._waiting = deque(range(len(tasks)))
        self._busy: set[int] = set()
        self._leading: dict[Key, int] = {}  # who captions a content that others wait for
        self._following: dict[Key, list[int]] = {}
        self._tries: Counter[int] = Counter()
        self._kept: dict[int, Attempt] = {}  # the best so far of those that are tried again
        self._outcomes: dict[int, Outcome] = {}
        self._stopping = False
        self._given_up = StopSignal()
        self.fatal: DecalageError | None = None
        """Why nothing more could be done, if that was so."""

    def __repr__(self) -> str:
        return f"<Batch {len(self._outcomes)}/{len(self._tasks)} ended, {len(self._busy)} in work>"

    def stop(self) -> None:
        """Begin no file more; the second time, drop those in work too. Returns at once."""
        self._queue.put(self._stop)

    def run(self) -> list[Outcome]:
        """What became of each task, in their order."""
        self._fill()
        while self._busy and not self._given_up.is_set:
            self._queue.get()()
            self._fill()
        self._leave()
        for number, task in enumerate(self._tasks):
            if number not in self._outcomes:
                self._outcomes[number] = Outcome(task=task, state="left", tries=self._tries[number])
        return [self._outcomes[number] for number in range(len(self._tasks))]

    def _fill(self) -> None:
        most = min(self._streams(), MOST_STREAMS)
        while self._waiting and len(self._busy) < most and not self._stopping:
            number = self._waiting.popleft()
            self._busy.add(number)
            self._submit(number, partial(examine, self._tasks[number]), self._examined)

    def _submit(
        self, number: int, work: Callable[[], Found], then: Callable[[int, Found | BaseException], None]
    ) -> None:
        """Have a worker do ``work``; what it gives, or raises, comes back to this thread."""

        def done() -> None:
            result: Found | BaseException
            try:
                result = work()
            except BaseException as error:  # a worker's edge: ``then`` tells
                result = error
            self._queue.put(partial(then, number, result))

        if not self._given_up.is_set:
            self._workers.submit(done)

    def _examined(self, number: int, found: Examined | BaseException) -> None:
        if isinstance(found, BaseException):
            self._tries[number] += 1
            self._captioned(number, failed(found))
            return
        task = self._tasks[number] = replace(self._tasks[number], stamp=found.stamp, sha256=found.sha256)
        reuse = find_reuse(task, found.sha256, self._folder)
        key = (found.sha256, task.fingerprint)
        if reuse is not None:
            self._reuse(number, task, reuse)
        elif self._stopping:
            self._release(number)
        elif self._leading.setdefault(key, number) != number:
            self._following.setdefault(key, []).append(number)
            self._busy.discard(number)
        else:
            self._caption(number)

    def _reuse(self, number: int, task: Task, reuse: Reuse) -> None:
        if reuse.whole and is_of(reuse.record, task):
            self._end(number, done_before(task, reuse.record))
            return
        then = partial(self._reused, reuse=reuse)
        self._submit(number, partial(remake, task, reuse, self._folder), then)

    def _reused(self, number: int, found: Record | BaseException, *, reuse: Reuse) -> None:
        records = self._folder.records
        if isinstance(found, Record):
            records.add(found)
            task = self._tasks[number]
            how: How = "written" if reuse.record.name == task.name else "reused"
            self._end(number, done_before(task, found, "before" if reuse.whole else how))
        elif isinstance(found, MalformedEventError | OSError) and not is_last(found):
            path = self._tasks[number].path
            logger.warning("%s is looked at again, for what was there could not be used: %s", path, found)
            if records.named(reuse.record.name) == reuse.record:  # it may have been made anew meanwhile
                records.remove(reuse.record.name)
            self._waiting.appendleft(number)
            self._release(number)
        else:
            records.remove(self._tasks[number].name)  # its files may be in part the new ones
            self._failed(number, found)

    def _caption(self, number: int) -> None:
        self._tries[number] += 1
        task = self._tasks[number]
        work = partial(caption, task, self._folder, self._hearing, self._watch, self._given_up)
        self._submit(number, work, self._captioned)

    def _captioned(self, number: int, found: Attempt | BaseException) -> None:
        if isinstance(found, BaseException):
            self._failed(number, found)
            return
        best = self._better(self._kept.pop(number, None), found)
        if self._given_up.is_set:
            self._kept[number] = best
        elif found.passing and self._tries[number] <= self._retries and not self._stopping:
            logger.info("%s is tried again: %s", self._tasks[number].path, found.error)
            self._kept[number] = best
            self._waiting.append(number)
            self._release(number)
        elif best.record is None or best.made is None:
            self._end(number, self._outcome(number, best, "failed"))
        elif (standing := self._folder.records.better_than(best.record)) is not None:
            self._folder.drop(best.made)
            outcome = self._outcome(number, best, standing.quality)
            self._end(number, replace(outcome, how="captioned", record=standing))
        else:
            then = partial(self._committed, best=best, record=best.record)
            self._submit(number, partial(self._folder.commit, best.made, best.record), then)

    def _better(self, before: Attempt | None, now: Attempt) -> Attempt:
        """The better of two, the later if they are alike; the other is dropped."""
        best = now if before is None or now.rank <= before.rank else before
        worse = before if best is now else now
        if worse is not None and worse.made is not None:
            self._folder.drop(worse.made)
        return best

    def _committed(self, number: int, found: BaseException | None, *, best: Attempt, record: Record) -> None:
        if isinstance(found, BaseException):
            self._folder.records.remove(record.name)
            self._failed(number, found)
            return
        self._folder.records.add(record)
        outcome = self._outcome(number, best, record.quality)
        self._end(number, replace(outcome, how="captioned", record=record))

    def _outcome(self, number: int, last: Attempt, state: State) -> Outcome:
        return Outcome(
            task=self._tasks[number],
            state=state,
            sha256=self._tasks[number].sha256,
            error=last.error,
            lost=last.lost,
            tries=self._tries[number],
            wall_s=last.wall_s,
        )

    def _failed(self, number: int, error: BaseException) -> None:
        """Results could not be made, or not be put into their place: trying again is of no use."""
        if isinstance(error, GivenUpError):
            self._release(number)
        elif is_last(error):
            self.fatal = self.fatal or last_word(error, self._folder.path)
            self._drop_all()
        else:
            self._end(number, self._outcome(number, failed(error), "failed"))

    def _end(self, number: int, outcome: Outcome) -> None:
        self._outcomes[number] = outcome
        self._release(number)
        self._watch.ended(outcome)

    def _release(self, number: int) -> None:
        """``number`` is in work no more: who waits for its content finds it, or captions it."""
        self._busy.discard(number)
        task = self._tasks[number]
        key = (task.sha256 or "", task.fingerprint)
        if self._leading.get(key) == number:
            del self._leading[key]
            self._waiting.extendleft(reversed(self._following.pop(key, [])))

    def _stop(self) -> None:
        if self._stopping:
            self._drop_all()
        self._stopping = True

    def _drop_all(self) -> None:
        self._stopping = True
        self._given_up.set()

    def _leave(self) -> None:
        """The workers end; those in the middle of a file drop it, those that put one into its place do so."""
        if self._given_up.is_set:
            self._let_go()
        self._workers.shutdown(wait=False, cancel_futures=True)
        if not self._workers.join(_LEAVE_S):
            logger.warning("some files could not be let go of within %.0f s", _LEAVE_S)
        while not self._queue.empty():
            self._queue.get()()
        for attempt in self._kept.values():
            if attempt.made is not None:
                self._folder.drop(attempt.made)


def is_of(record: Record, task: Task) -> bool:
    """Whether ``record`` knows the file of ``task`` as it is: it need not be read to tell."""
    return record.source == str(task.path) and record.stamp == task.stamp


def done_before(task: Task, record: Record, how: How = "before") -> Outcome:
    """``task`` has had, or now has, its results without being captioned."""
    return Outcome(
        task=task, state=record.quality, how=how, record=record, sha256=record.sha256, error=record.error
    )
