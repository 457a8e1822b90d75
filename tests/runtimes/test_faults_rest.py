"""What a runtime takes of the machine: no more threads than are declared, and nothing while nobody speaks."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Iterator

import numpy as np
import psutil
import pytest

from decalage.app.compose import make_blueprint, make_runtime, stream_options
from decalage.app.settings import Settings
from decalage.audio import SAMPLE_RATE, AudioChunk
from decalage.clock import SystemClock
from decalage.config import RuntimeName, StreamOptions
from decalage.sources.pace import Paced
from decalage.testing import ManualClock
from decalage.testing.engines import FakeBlueprint, FakeRecognizer, Gate, silence, speech
from tests.runtimes.kit import RUNTIMES, fed, feed_all, running, texts
from tests.runtimes.test_faults import wait

WORKERS = 3
DECLARED = {"sequential": {"worker": 1}, "asyncio": {"thread": WORKERS + 2, "loop": 1}}
"""Threads by the beginning of their names; in the others a stage has its own."""
STAGED = {"vad": 1, "asr": WORKERS, "mt": 1}
WATCHERS_AT_MOST = 3
"""They sleep until a call has taken too long."""


@pytest.mark.parametrize("name", RUNTIMES)
def test_no_more_threads_are_at_work_than_are_declared_however_many_speak(name: str) -> None:
    gate = Gate()
    with running(name, FakeBlueprint(FakeRecognizer(gate=gate)), workers=WORKERS) as runtime:
        before = set(threading.enumerate())  # those in which the fakes of other processes answer
        streams = [runtime.open(StreamOptions()) for _ in range(8)]
        for stream in streams:
            feed_all(stream, speech([1, 2, 3]))
        gate.wait_inside(1 if name == "sequential" else WORKERS)
        started = [thread.name for thread in set(threading.enumerate()) - before if thread.name != "fakes"]
        gate.open()
        for stream in streams:
            assert len(list(stream)) == 3
    at_work = Counter(each.partition("-")[0] for each in started if not each.endswith("-watcher"))
    declared = DECLARED.get(name, STAGED)
    assert at_work.keys() <= declared.keys()
    assert all(count <= declared[kind] for kind, count in at_work.items()), at_work
    assert sum(each.endswith("-watcher") for each in started) <= WATCHERS_AT_MOST


@pytest.mark.parametrize("name", RUNTIMES)
def test_nobody_wakes_by_himself_while_nothing_is_said(name: str) -> None:
    clock, watchers = ManualClock(), 1 if name in ("sequential", "asyncio") else 3
    with running(name, clock=clock) as runtime:
        quiet = runtime.open(StreamOptions(pace="realtime"))
        assert texts(fed(runtime.open(StreamOptions()), speech([1]))) == ["word 1"]
        quiet.feed(AudioChunk(0, silence(1.0)))
        wait(lambda: quiet.statistics().samples_in == SAMPLE_RATE)
        clock.until_waiting(watchers)
        while (due := clock.next_due) is not None:  # the deadlines of calls that are over
            clock.advance(due - clock.now() + 10)  # so late that a call that is not is left alone
            clock.until_waiting(watchers)
        quiet.finish()
        assert list(quiet) == []


class Quiet:
    """A room in which nobody speaks."""

    name = "a quiet room"
    duration_s: float | None = None

    def __init__(self, length_s: float) -> None:
        self._slices = round(10 * length_s)
        self._stopped = threading.Event()

    def __iter__(self) -> Iterator[AudioChunk]:
        noise = np.random.default_rng(1)
        for number in range(self._slices):
            if not self._stopped.is_set():
                yield AudioChunk(1600 * number, noise.normal(0, 5e-4, 1600).astype(np.float32))

    def stop(self) -> None:
        self._stopped.set()


def cpu_s() -> float:
    """Seconds that this process and those it started have computed."""
    here = psutil.Process()
    times = [process.cpu_times() for process in (here, *here.children(recursive=True))]
    return float(sum(each.user + each.system for each in times))


@pytest.mark.real
@pytest.mark.parametrize("name", ["pipeline", "processes", "asyncio"])
def test_listening_to_a_quiet_room_takes_less_than_two_percent_of_the_machine(name: RuntimeName) -> None:
    settings = Settings(model="tiny.en", runtime=name, pace="realtime", offline=True)
    blueprint = make_blueprint(settings)
    runtime = make_runtime(settings, blueprint)
    listened_s = 5.0
    try:
        began, before = time.monotonic(), cpu_s()
        stream = runtime.run(Paced(Quiet(listened_s), SystemClock()), stream_options(settings, blueprint))
        assert list(stream) == []
        computed, took = cpu_s() - before, time.monotonic() - began
    finally:
        runtime.close(30)
    assert took >= listened_s
    assert 100 * computed / (took * (os.cpu_count() or 1)) < 2
