"""Approach C: an event loop decides, a pool of threads computes, however many streams there are.

::

    streams ──wake──▶ ┌ event loop ────────────────────────────────┐
                      │ a task a slice · a task an utterance       │ ──▶ any free thread of the pool
                      │ N recognitions, one translation at a time  │     does VAD, ASR or MT
                      └────────────────────────────────────────────┘

No thread belongs to a stage. ``workers`` + 2 threads: those that recognize, one that translates, and
one that is always left for cutting.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, ClassVar, TypeVar

from decalage.clock import SystemClock
from decalage.contracts import Recognizer, StageBlueprint, Translator
from decalage.flow.schedule import Schedule
from decalage.runtimes.calls import RecognizedJob, Seat, conclude
from decalage.runtimes.job import Job
from decalage.runtimes.local import LocalRuntime
from decalage.runtimes.stream import RuntimeStream
from decalage.runtimes.workers import WorkerPool

logger = logging.getLogger(__name__)

T = TypeVar("T")


class AsyncioRuntime(LocalRuntime):
    """One loop for all streams, one set of weights for all threads."""

    name: ClassVar[str] = "asyncio"

    def _make_pools(self) -> None:
        self._threads = WorkerPool("thread", self.options.workers + 2, clock=self.clock)
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()  # at most one a stream and two a job in flight
        # Touched on the loop alone.
        self._to_recognize: Schedule[Job] = Schedule()
        self._to_translate: Schedule[RecognizedJob] = Schedule()
        self._sketches = 0
        self._may_recognize = asyncio.Semaphore(self.options.workers)
        self._may_translate = asyncio.Semaphore(1)
        self._looper = threading.Thread(target=self._turn, name="loop", daemon=True)
        self._looper.start()

    def _load(self, blueprint: StageBlueprint) -> None:
        recognizer = self._threads.submit(blueprint.recognizer, self.options.workers)
        translator = self._threads.submit(blueprint.translator)
        self._recognizer: Seat[Recognizer] = Seat(recognizer.result())
        self._translator: Seat[Translator] = Seat(translator.result())

    def _turn(self) -> None:
        """The loop's thread, until ``close``; tasks that still wait then are cancelled."""
        self._loop.run_forever()
        self._loop.run_until_complete(self._cancelled())
        self._loop.close()

    async def _cancelled(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _soon(self, call: Callable[[], None]) -> None:
        """Run ``call`` on the loop; after ``close`` nobody waits for it."""
        try:
            self._loop.call_soon_threadsafe(call)
        except RuntimeError:
            logger.debug("the loop is closed; %r was dropped", call)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._guarded(partial(_raise, error))

    def _wake(self, stream: RuntimeStream) -> None:
        self._soon(partial(self._look, stream))

    def _look(self, stream: RuntimeStream) -> None:
        if stream.claim():
            self._begin(self._segment(stream))

    async def _segment(self, stream: RuntimeStream) -> None:
        """One slice of sound; an utterance it completes gets a task of its own."""
        job = await self._on_thread(partial(self._cut_within, self._threads, stream))
        if job is not None:
            self._to_recognize.add(job.utterance, job)
            self._calls.depth("waiting for ASR", len(self._to_recognize))
            self._begin(self._recognize())
        stream.release()

    async def _recognize(self) -> None:
        """The next utterance by the schedule, when a recognition is free."""
        async with self._may_recognize:
            job = self._to_recognize.take(sketches=self._sketches < self._sketch_limit)
            self._calls.depth("waiting for ASR", len(self._to_recognize))
            if job is None or not job.stream.start(job):
                return
            sketch = job.utterance.sketch
            self._sketches += sketch
            recognized = await self._on_thread(
                partial(self._recognize_within, self._threads, job, self._recognizer)
            )
            self._sketches -= sketch
        if sketch and len(self._to_recognize):  # one that was held back has no task any more
            self._begin(self._recognize())
        if recognized is None:
            return
        if not recognized.targets:
            conclude(self._calls.begin(recognized))
            return
        self._to_translate.add(job.utterance, recognized)
        self._calls.depth("waiting for MT", len(self._to_translate))
        self._begin(self._translate())

    async def _translate(self) -> None:
        """The next transcript by the schedule, when the translator is free."""
        async with self._may_translate:
            recognized = self._to_translate.take()
            self._calls.depth("waiting for MT", len(self._to_translate))
            if recognized is None or not recognized.job.stream.wants(recognized.job):
                return
            work = self._calls.begin(recognized)
            await self._on_thread(partial(self._translate_within, self._threads, work, self._translator))

    async def _on_thread(self, call: Callable[[Callable[[], None]], T]) -> T | None:
        """``call(given_up)`` on a thread of the pool; None when it was given up or failed."""
        answer: asyncio.Future[T | None] = self._loop.create_future()

        def settle(value: T | None) -> None:
            self._soon(lambda: None if answer.done() else answer.set_result(value))

        def work() -> None:
            value: T | None = None
            try:
                value = call(lambda: settle(None))
            finally:
                settle(value)

        self._dispatch(self._threads, work)
        return await answer

    def _end_workers(self, until: float) -> None:
        self._soon(self._loop.stop)
        self._looper.join(max(0.0, until - SystemClock().now()))

    def _pools(self) -> Sequence[WorkerPool]:
        return [self._threads]

    def _waiting(self) -> tuple[int, int]:
        return len(self._to_recognize), len(self._to_translate)


def _raise(error: BaseException) -> None:
    raise error
