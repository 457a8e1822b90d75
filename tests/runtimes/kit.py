"""What the contract suite shares: runtimes by name, and readers."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from multiprocessing.shared_memory import SharedMemory
from typing import Any
from unittest.mock import patch

import psutil
import pytest

from decalage.audio import AudioChunk
from decalage.clock import Clock
from decalage.config import RuntimeOptions, StreamOptions
from decalage.errors import StreamFinishedError
from decalage.events import Settled, StreamEvent
from decalage.flow.trace import Trace
from decalage.runtimes import sound_block
from decalage.runtimes.event_loop import AsyncioRuntime
from decalage.runtimes.local import LocalRuntime
from decalage.runtimes.pipeline import PipelineRuntime
from decalage.runtimes.pool import PoolRuntime
from decalage.runtimes.processes import ProcessesRuntime
from decalage.runtimes.ray_cluster import Connection, connect, release
from decalage.runtimes.ray_runtime import RayRuntime
from decalage.runtimes.sequential import SequentialRuntime
from decalage.runtimes.stream import RuntimeStream
from decalage.testing.elsewhere import ServedBlueprint
from decalage.testing.engines import FakeBlueprint, silence, speech
from tests.conftest import missing

RUNTIMES: dict[str, type[LocalRuntime]] = {
    "sequential": SequentialRuntime,
    "pipeline": PipelineRuntime,
    "pool": PoolRuntime,
    "processes": ProcessesRuntime,
    "asyncio": AsyncioRuntime,
    "ray": RayRuntime,
}
ELSEWHERE = ("processes", "ray")
"""Those whose engines are in other processes."""


def need_ray() -> None:
    """Skip the test where Ray is not installed."""
    if find_spec("ray") is None:
        missing("Ray", "pip install '.[ray]' in the clone")


def gone(pid: int) -> None:
    """Wait for the end of a process. Raises ``psutil.TimeoutExpired``: it does not end."""
    with suppress(psutil.NoSuchProcess):
        psutil.Process(pid).wait(30)


class RayKept:
    """Ray on this machine, started once, because it takes seconds; every runtime of a test joins it."""

    def __init__(self) -> None:
        self._connection: Connection | None = None

    def get(self) -> Connection:
        """Start it, unless it is there. Skips the test where Ray is not installed."""
        need_ray()
        self._connection = self._connection or connect(None)
        return self._connection

    def end(self) -> None:
        """The last test that needs it is over."""
        if self._connection is not None:
            release(self._connection)
            self._connection = None


ray_kept = RayKept()


@contextmanager
def no_memory_left() -> Iterator[None]:
    """Every block of shared memory made inside is gone from the system at the end."""
    made: list[str] = []

    class Noted(SharedMemory):
        def __init__(self, name: str | None = None, create: bool = False, size: int = 0) -> None:
            super().__init__(name, create, size)
            made.append(self.name)

    with patch.object(sound_block, "SharedMemory", Noted):
        yield
    for name in made:
        with pytest.raises(FileNotFoundError):
            SharedMemory(name)


@contextmanager
def running(
    name: str,
    blueprint: FakeBlueprint | None = None,
    *,
    clock: Clock | None = None,
    trace: Trace | None = None,
    apart: bool = False,
    **options: Any,
) -> Iterator[LocalRuntime]:
    """A runtime that is closed at the end, and a check that nothing of it is left then.

    Engines in other processes are the test's own all the same, unless they are to be ``apart``.

    Cutting has no deadline unless a test sets one: a clock that jumps must not find it at work. Other
    deadlines are what a test says, whatever the length of the sound and the text.
    """
    exact = {"vad_deadline_rtf": 0, "asr_deadline_rtf": 0, "mt_deadline_character_s": 0}
    options = {"vad_deadline_s": 1e6, **exact, **options}
    if name == "ray" and "cluster" not in options:
        ray_kept.get()
    before = set(threading.enumerate())
    served = ServedBlueprint(blueprint or FakeBlueprint()) if name in ELSEWHERE and not apart else None
    try:
        with no_memory_left():
            runtime = RUNTIMES[name](
                served or blueprint or FakeBlueprint(), RuntimeOptions(**options), clock=clock, trace=trace
            )
            try:
                yield runtime
            finally:
                runtime.close(30)
    finally:
        if served is not None:
            served.close()
    assert multiprocessing.active_children() == []
    started = set(threading.enumerate()) - before
    for thread in started:
        thread.join(30)
    left = [thread.name for thread in started if thread.is_alive()]
    assert left == [], f"threads left after close: {left}"


class ToneSource:
    """Says the words; picklable, so that it can be captured in another process."""

    duration_s: float | None = None

    def __init__(self, words: list[int], *, then: Exception | None = None, endless: bool = False) -> None:
        self.name = "tones"
        self._words = words
        self._then = then
        self._endless = endless
        self._stopped = False

    def __iter__(self) -> Iterator[AudioChunk]:
        chunk = speech(self._words)
        yield chunk
        first = chunk.first + len(chunk.samples)
        while self._endless and not self._stopped:
            yield AudioChunk(first, silence())
            first += 1600
        if self._then is not None:
            raise self._then

    def stop(self) -> None:
        self._stopped = True


def interpret(runtime: LocalRuntime, words: list[int], **options: Any) -> list[StreamEvent]:
    """Every event of one stream that is fed ``words`` while it is read."""
    stream = runtime.open(StreamOptions(**options))
    return fed(stream, speech(words))


def feed_all(stream: RuntimeStream, chunk: AudioChunk) -> None:
    """Feed ``chunk`` and finish; a stream that has ended by itself meanwhile takes no more."""
    with suppress(StreamFinishedError):
        stream.feed(chunk)
    stream.finish()


def fed(stream: RuntimeStream, chunk: AudioChunk) -> list[StreamEvent]:
    """Every event of ``stream``, fed with ``chunk`` by another thread while it is read."""
    feeder = threading.Thread(target=feed_all, args=(stream, chunk))
    feeder.start()
    events = list(stream)
    feeder.join()
    return events


def texts(events: list[Any], language: str = "en") -> list[str]:
    """The text of each caption, the type of anything else."""
    return [e.text[language] if e.type == "caption" else e.type for e in events]


def take(reader: Iterator[StreamEvent], count: int) -> list[Any]:
    """The next ``count`` events."""
    return [next(reader) for _ in range(count)]


def indices(events: list[StreamEvent]) -> list[int]:
    """Indices of the settled events."""
    return [event.index for event in events if isinstance(event, Settled)]
