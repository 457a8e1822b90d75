"""Option 2: N recognizing workers, each with a copy of the model of its own.

::

    capture ─▶ inbox ─▶ VAD ─▶ schedule ─▶ ASR, replica 0 ─▶ schedule ─▶ MT ─▶ reorder ─▶ events
    a thread            one                ASR, replica 1                one
    a stream            thread             …                             thread
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import ClassVar

from decalage.contracts import Recognizer, StageBlueprint, Translator
from decalage.runtimes.calls import RecognizedJob, Seat, Translations, reason
from decalage.runtimes.deadlines import START_LIMIT_S
from decalage.runtimes.job import Job
from decalage.runtimes.staged import StagedRuntime


class Replicas:
    """Recognizers with weights of their own, each lent to one worker at a time.

    A worker that finds none free stands in for one that was given up inside a call, so it loads
    another; when that call returns all the same, one copy too many is let go.
    """

    def __init__(self, blueprint: StageBlueprint, size: int) -> None:
        self._blueprint = blueprint
        self._size = size
        self._lock = threading.Lock()
        self._free: list[Seat[Recognizer]] = []  # at most ``size``
        self._made = 0

    def load(self) -> None:
        """One more copy. Raises what loading raises."""
        self._give_back(self._new())

    @contextmanager
    def lend(self, loads: Callable[[], None]) -> Iterator[Seat[Recognizer]]:
        """A copy for one call; ``loads()`` is called before another has to be loaded."""
        with self._lock:
            seat = self._free.pop() if self._free else None
        if seat is None:
            loads()
            seat = self._new()
        try:
            yield seat
        finally:
            self._give_back(seat)

    def _new(self) -> Seat[Recognizer]:
        recognizer = self._blueprint.recognizer(1)
        with self._lock:
            number, self._made = self._made, self._made + 1
        return Seat(recognizer, number)

    def _give_back(self, seat: Seat[Recognizer]) -> None:
        with self._lock:
            if len(self._free) < self._size:
                self._free.append(seat)


class PoolRuntime(StagedRuntime):
    """As many model copies as workers: the paper's worker pool."""

    name: ClassVar[str] = "pool"

    def _load(self, blueprint: StageBlueprint) -> None:
        """All copies at the same time, each on a worker."""
        self._replicas = Replicas(blueprint, self.options.workers)
        loads = [self._asr.submit(self._replicas.load) for _ in range(self.options.workers)]
        translator = self._mt.submit(blueprint.translator)
        for load in loads:
            load.result()
        self._translator: Seat[Translator] = Seat(translator.result())

    def _recognized(self, job: Job, given_up: Callable[[], None]) -> RecognizedJob | None:
        with self._recognizing(self._asr, job, given_up) as renew:
            try:
                with self._replicas.lend(partial(renew, START_LIMIT_S)) as seat:
                    renew(self.options.asr_limit_s(job.utterance.duration))
                    return self._calls.recognize(job, seat)
            except BaseException as error:  # of loading a copy: a recognizer's own is answered by now
                job.fail("asr", reason(error))
                return None

    def _conclude(self, work: Translations) -> None:
        self._translate_within(self._mt, work, self._translator)
