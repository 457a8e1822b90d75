"""Actors on this machine: where they work, and what is left of an utterance when they die or hang."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from decalage.audio import AudioChunk
from decalage.config import RecognizerOptions, SegmenterOptions, StreamOptions
from decalage.errors import MissingPartError, UnreachableError, UsageError
from decalage.events import Caption, Failure
from decalage.flow.trace import Trace
from decalage.runtimes.local import LocalRuntime
from decalage.runtimes.ray_cluster import connect
from decalage.runtimes.ray_fleet import DESERTED_S
from decalage.runtimes.ray_runtime import RayRuntime
from decalage.runtimes.ray_services import Served
from decalage.speech import Rejection, Transcript, Utterance
from decalage.testing import ManualClock
from decalage.testing.engines import (
    FakeBlueprint,
    FakeRecognizer,
    FakeSegmenter,
    FakeTranslator,
    Gate,
    heard,
    silence,
    speech,
    tone,
)
from tests.runtimes.kit import fed, gone, indices, interpret, ray_kept, running, texts

pytestmark = pytest.mark.ray

ROOT = Path(__file__).parents[2]


def pids(runtime: LocalRuntime, stage: str = "asr") -> list[int]:
    """Process id of each actor of ``stage`` that is ready."""
    assert isinstance(runtime, RayRuntime)
    return list(runtime.actors[stage].values())


def actor(runtime: LocalRuntime, stage: str) -> int:
    """Process id of the only one."""
    (pid,) = pids(runtime, stage)
    return pid


def room_bytes() -> float:
    """What the object store of this machine's cluster has room for now."""
    import ray  # noqa: PLC0415 - an extra

    room: float = ray.available_resources()["object_store_memory"]
    return room


def test_all_recognitions_of_a_node_share_one_set_of_weights_in_a_process_of_their_own() -> None:
    trace, gate = Trace(), Gate()
    blueprint = FakeBlueprint(FakeRecognizer(gate=gate))
    with running("ray", blueprint, workers=3, trace=trace) as runtime:
        stream = runtime.open(StreamOptions())
        stream.feed(speech([1, 2, 3, 4]))
        stream.finish()
        gate.wait_inside(3)
        assert len(blueprint.fake_recognizer.calls) == 3, "no more at a time than workers"
        gate.open()
        assert texts(list(stream)) == ["word 1", "word 2", "word 3", "word 4"]
        recognizing, translating = actor(runtime, "asr"), actor(runtime, "mt")
    assert blueprint.loads == [3]
    assert {span.replica for span in trace.spans("asr")} == {0}
    assert len({recognizing, translating, os.getpid()}) == 3
    assert {span.process for span in trace.spans("vad")} == {os.getpid()}
    assert {span.process for span in trace.spans("asr")} == {recognizing}
    assert {span.process for span in trace.spans("mt")} == {translating}
    assert all(span.ipc_s > 0 for span in trace.spans("asr") + trace.spans("mt"))
    for pid in (recognizing, translating):
        gone(pid)


@pytest.mark.parametrize("stage", ["asr", "mt"])
def test_an_utterance_whose_actor_is_killed_is_tried_again(stage: str) -> None:
    trace, gate = Trace(), Gate()
    recognizer = FakeRecognizer(gates={2: gate} if stage == "asr" else {})
    translator = FakeTranslator(gates={"word 2": gate} if stage == "mt" else {})
    with running("ray", FakeBlueprint(recognizer, translator), trace=trace) as runtime:
        stream = runtime.open(StreamOptions())
        stream.feed(speech([1, 2, 3]))
        stream.finish()
        gate.wait_inside(1)
        killed = actor(runtime, stage)
        os.kill(killed, signal.SIGKILL)
        gate.wait_inside(2)
        gate.open()
        assert texts(list(stream), "pt") == ["pt:word 1", "pt:word 2", "pt:word 3"]
        assert actor(runtime, stage) != killed
    assert {mark.name for mark in trace.marks()} == {"worker replaced", "retry"}
    assert killed in {span.process for span in trace.spans("asr") + trace.spans("mt")}


def test_an_actor_that_is_ended_for_one_that_hangs_is_no_try_for_the_others_in_it() -> None:
    clock, hanging, other = ManualClock(), Gate(), Gate()
    blueprint = FakeBlueprint(FakeRecognizer(gates={1: hanging, 2: other}))
    with running("ray", blueprint, clock=clock, workers=2, asr_deadline_s=30) as runtime:
        stream = runtime.open(StreamOptions())
        stream.feed(AudioChunk(0, speech([1]).samples))
        for attempt in (1, 2):
            hanging.wait_inside(attempt)
            clock.advance(20)
            if attempt == 1:
                stream.feed(AudioChunk(4800, speech([2]).samples))
                stream.finish()
            other.wait_inside(attempt)
            clock.advance(11)  # too long for the first, not for the second
        other.wait_inside(3)
        other.open()
        failure, caption = stream
        hanging.open()
    assert isinstance(failure, Failure)
    assert failure.error == "no answer within 30 s"
    assert isinstance(caption, Caption)
    assert blueprint.fake_recognizer.calls.count(2) == 3


class DeadlyRecognizer(FakeRecognizer):
    """Ends its process when it hears 13."""

    def recognize(
        self, utterance: Utterance, options: RecognizerOptions, draft: Transcript | None = None
    ) -> Transcript | Rejection:
        if heard(utterance.samples) == 13:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().recognize(utterance, options, draft)


@dataclass(frozen=True)
class ThereBlueprint:
    """Builds fakes in the process that asks."""

    recognizer_type: type[FakeRecognizer] = FakeRecognizer

    def segmenter(self, stream: str, options: SegmenterOptions) -> FakeSegmenter:  # noqa: ARG002
        return FakeSegmenter(stream)

    def recognizer(self, concurrency: int) -> FakeRecognizer:  # noqa: ARG002
        return self.recognizer_type()

    def translator(self) -> FakeTranslator:
        return FakeTranslator()


def test_an_utterance_that_kills_whoever_hears_it_takes_nobody_with_it() -> None:
    blueprint: Any = ThereBlueprint(DeadlyRecognizer)
    with running("ray", blueprint, workers=3, apart=True) as runtime:
        events = interpret(runtime, [11, 12, 13, 14, 15, 16])
    assert texts(events) == ["word 11", "word 12", "failure", "word 14", "word 15", "word 16"]
    assert indices(events) == list(range(6))


class PanickingRecognizer(FakeRecognizer):
    """Raises what is no ``Exception``, as native code does."""

    def recognize(
        self, utterance: Utterance, options: RecognizerOptions, draft: Transcript | None = None
    ) -> Transcript | Rejection:
        if heard(utterance.samples) == 2:
            raise SystemExit("unwrap")
        return super().recognize(utterance, options, draft)


def test_a_panic_in_an_actor_is_a_failure_in_its_place() -> None:
    blueprint: Any = ThereBlueprint(PanickingRecognizer)
    with running("ray", blueprint, apart=True) as runtime:
        before = actor(runtime, "asr")
        failure = interpret(runtime, [1, 2, 3])[1]
        assert actor(runtime, "asr") == before
    assert isinstance(failure, Failure)
    assert failure.error == "SystemExit: unwrap"


def test_with_no_actor_left_that_loads_an_utterance_waits_a_minute_and_fails_with_the_reason() -> None:
    clock, gate, waiting = ManualClock(), Gate(), threading.Event()
    blueprint = FakeBlueprint(FakeRecognizer(gates={2: gate}))
    with running("ray", blueprint, clock=clock, asr_deadline_s=1e6) as runtime:
        stream = runtime.open(StreamOptions())
        stream.feed(speech([1, 2]))
        stream.finish()
        gate.wait_inside(1)
        blueprint.load_error = OSError("no model")
        os.kill(actor(runtime, "asr"), signal.SIGKILL)
        assert isinstance(runtime, RayRuntime)
        while not runtime.deserted:
            waiting.wait(0.01)
        clock.advance(DESERTED_S)
        events = list(stream)
        gate.open()
    assert texts(events) == ["word 1", "failure"]
    assert isinstance(events[1], Failure)
    assert "no node is left" in events[1].error
    assert "no model" in events[1].error


def test_sound_leaves_the_object_store_with_its_utterance() -> None:
    gate, pace = Gate(), threading.Event()
    with running("ray", FakeBlueprint(FakeRecognizer(gate=gate))) as runtime:
        before = room_bytes()
        stream = runtime.open(StreamOptions())
        stream.feed(AudioChunk(0, tone(1, 10.0)))
        stream.feed(AudioChunk(160_000, silence()))
        gate.wait_inside(1)
        while before - room_bytes() < 4 * 160_000:  # Ray tells it from time to time
            pace.wait(0.05)
        gate.open()
        assert texts([next(iter(stream))]) == ["word 1"]
        while room_bytes() < before:
            pace.wait(0.05)


def test_another_version_in_the_cluster_is_told_in_one_line() -> None:
    told = Served().load("0.0.1", FakeBlueprint)
    assert isinstance(told, MissingPartError)
    assert "0.0.1 here" in str(told)


def test_without_ray_the_command_that_installs_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)  # as if it were not installed
    with pytest.raises(MissingPartError, match=r"pip install '\.\[ray\]' in the clone") as told:
        connect(None)
    assert told.value.exit_code == 3


@pytest.mark.parametrize(
    ("address", "error", "told"),
    [
        ("127.0.0.1:9", UnreachableError, "no Ray cluster at 127.0.0.1:9"),
        ("ray://127.0.0.1:10001", UsageError, "host:port"),
        ("elsewhere", UsageError, "host:port"),
    ],
)
def test_an_address_without_a_cluster_is_refused_at_once(
    address: str, error: type[Exception], told: str
) -> None:
    ray_kept.get()
    with pytest.raises(error, match=told):
        connect(address)


_PROGRAM = """
import os, signal, threading
from decalage.config import RuntimeOptions, StreamOptions
from decalage.runtimes.ray_cluster import _open
from decalage.runtimes.ray_runtime import RayRuntime
from decalage.testing.engines import speech
from tests.runtimes.test_ray import ThereBlueprint

def told(*_): print("told to end")
signal.signal(signal.SIGTERM, told)
made = []
thread = threading.Thread(target=lambda: made.append(RayRuntime(ThereBlueprint(), RuntimeOptions())))
thread.start()
thread.join()
(runtime,) = made
stream = runtime.open(StreamOptions())
stream.feed(speech([1]))
os.kill(next(iter(runtime.actors["asr"].values())), signal.SIGKILL)
os.kill(os.getpid(), signal.SIGTERM)
stream.feed(speech([2]).__class__(4800, speech([2]).samples))
stream.finish()
print(*(event.text["pt"] for event in stream))
folder = _open[None]._folder
assert folder.is_dir()
runtime.close()
import psutil
print(len(psutil.Process().children(recursive=True)), "left")
print(len([t for t in threading.enumerate() if t.is_alive()]), "thread")
print("folder" if folder.exists() else "no folder")
"""


def test_a_program_that_starts_ray_in_a_thread_keeps_it_and_its_signals_and_leaves_nothing() -> None:
    """Ray ends with the thread that started it, takes SIGTERM and prints on standard output, if it may."""
    ray_kept.get()
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=False, cwd=ROOT, timeout=100
    )
    assert done.returncode == 0, done.stderr
    told = ["told to end", "pt:word 1 pt:word 2", "0 left", "1 thread", "no folder"]
    assert done.stdout.splitlines() == told


def test_captions_of_a_stream_are_all_there_when_its_actor_is_killed_and_the_next_one_too() -> None:
    count, pace, ended = 60, threading.Event(), threading.Event()
    with running("ray", FakeBlueprint(), workers=2) as runtime:

        def kill() -> None:
            for _ in range(2):  # a third one under the same utterance would be its end
                killed = actor(runtime, "asr")
                os.kill(killed, signal.SIGKILL)
                while pids(runtime) in ([], [killed]) and not ended.is_set():
                    pace.wait(0.01)

        killer = threading.Thread(target=kill)
        killer.start()
        events = fed(runtime.open(StreamOptions()), speech(list(range(1, count + 1)), 0.05))
        ended.set()
        killer.join()
    assert texts(events) == [f"word {n}" for n in range(1, count + 1)]
