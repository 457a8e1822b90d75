"""Processes that die, hang or outlive their owner."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection, Pipe
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import psutil
import pytest

from decalage.audio import AudioChunk, Samples
from decalage.config import StreamOptions
from decalage.errors import DamagedInputError, InputError
from decalage.events import Caption, Failure
from decalage.flow.trace import Trace
from decalage.runtimes import audio_process, child
from decalage.runtimes.audio_process import CapturedElsewhere, packed
from decalage.runtimes.calls import WorkerLostError
from decalage.runtimes.local import LocalRuntime
from decalage.runtimes.processes import ProcessesRuntime
from decalage.runtimes.remote import Desk
from decalage.runtimes.sound_block import SoundBlock
from decalage.speech import Cut
from decalage.testing import ManualClock
from decalage.testing.engines import (
    FakeBlueprint,
    FakeRecognizer,
    FakeSegmenter,
    FakeTranslator,
    Gate,
    silence,
    speech,
    tone,
)
from tests.runtimes.kit import ToneSource, fed, indices, interpret, no_memory_left, running, texts


def processes(runtime: LocalRuntime) -> dict[str, int]:
    assert isinstance(runtime, ProcessesRuntime)
    return runtime.processes


def kill(process: int) -> None:
    os.kill(process, getattr(signal, "SIGKILL", signal.SIGTERM))


def test_vad_each_recognizer_and_mt_work_in_processes_of_their_own() -> None:
    trace, gate = Trace(), Gate()
    blueprint = FakeBlueprint(FakeRecognizer(gate=gate))
    with running("processes", blueprint, workers=2, trace=trace) as runtime:
        assert isinstance(runtime, ProcessesRuntime)
        stream = runtime.run(ToneSource([1, 2, 3]), StreamOptions())
        gate.wait_inside(2)
        gate.open()
        assert texts(list(stream)) == ["word 1", "word 2", "word 3"]
        at_work = processes(runtime)
        (capture,) = runtime.captures.values()
    assert blueprint.loads == [1, 1]
    assert set(at_work) == {"vad", "asr-0", "asr-1", "mt"}
    assert len({*at_work.values(), capture, os.getpid()}) == 6
    assert {span.process for span in trace.spans("capture")} == {capture}
    assert {span.process for span in trace.spans("vad")} == {at_work["vad"]}
    assert {span.process for span in trace.spans("asr")} == {at_work["asr-0"], at_work["asr-1"]}
    assert {span.process for span in trace.spans("mt")} == {at_work["mt"]}
    assert all(span.ipc_s > 0 for span in trace.spans() if span.stage != "capture")


def test_sound_is_captured_in_a_process_of_its_own_and_stops_when_told() -> None:
    with running("processes") as runtime:
        stream = runtime.run(ToneSource([1], endless=True), StreamOptions())
        assert isinstance(runtime, ProcessesRuntime)
        (capture,) = runtime.captures.values()
        assert capture not in {*processes(runtime).values(), os.getpid()}
        reader = iter(stream)
        assert texts([next(reader)]) == ["word 1"]
        stream.finish()
        assert list(reader) == []
        assert stream.damage is None
    assert not psutil.pid_exists(capture)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (DamagedInputError("the end is missing"), "the end is missing"),
        (InputError("no sound"), "no sound"),
        (OSError("device lost"), "OSError: device lost"),
    ],
)
def test_what_a_source_raises_in_its_process_is_told_here(error: Exception, told: str) -> None:
    with running("processes") as runtime:
        stream = runtime.run(ToneSource([1], then=error), StreamOptions())
        assert texts(list(stream)) == ["word 1"]
        assert stream.damage == told


class Unopened(ToneSource):
    """Cannot be opened in another process."""

    def __setstate__(self, state: dict[str, object]) -> None:
        raise InputError(f"{state['name']} is not there any more")


def test_a_source_that_cannot_be_opened_in_its_process_is_told_here() -> None:
    with running("processes") as runtime:
        stream = runtime.run(Unopened([1]), StreamOptions())
        assert list(stream) == []
        assert stream.damage == "tones is not there any more"


def ramp(length: int) -> Samples:
    """Every sample another number."""
    return np.linspace(0, 1, length, endpoint=False, dtype=np.float32)


class RampSource:
    """One chunk of many slots, every sample another number, then the end or, if endless, no end."""

    name = "ramp"
    duration_s: float | None = None
    length = 20 * 8000

    def __init__(self, *, endless: bool = False) -> None:
        self._endless = endless

    def __iter__(self) -> Iterator[AudioChunk]:
        yield AudioChunk(0, ramp(self.length))
        while self._endless:
            yield AudioChunk(self.length, silence())

    def stop(self) -> None:
        """Comes too late."""


def test_sound_under_way_when_a_capture_is_stopped_arrives_unharmed() -> None:
    source = RampSource()
    parcel = packed(source)
    assert parcel is not None
    with no_memory_left():
        capture = CapturedElsewhere(source, parcel, "s")
        chunks = iter(capture)
        got = [next(chunks)]
        capture.stop()
        got += list(chunks)
        capture.close()
    assert [chunk.first for chunk in got] == list(range(0, source.length, 8000))
    samples = np.concatenate([chunk.samples for chunk in got])
    assert np.array_equal(samples, ramp(source.length))


def test_a_slot_that_was_not_read_is_not_used_again_after_stop_either() -> None:
    ours, theirs = Pipe()
    block = SoundBlock(8 * 8000)
    capturing = threading.Thread(
        target=audio_process._capture, args=(theirs, block.name, packed(RampSource()))
    )
    capturing.start()
    ours.send("stop")
    assert ours.recv() == "ready"
    slots = [ours.recv()[2] for _ in range(8)]
    assert slots == list(range(8))
    assert not ours.poll(0.2), "a ninth piece, with all slots full"
    ours.send("taken")
    assert ours.recv()[2] == 0
    ours.close()
    capturing.join(30)
    block.close()
    assert not capturing.is_alive()


class StuckSource(RampSource):
    """Gives its sound and then neither ends nor stops."""

    def __iter__(self) -> Iterator[AudioChunk]:
        yield AudioChunk(0, tone(3))
        threading.Event().wait()


def test_a_capture_that_does_not_stop_is_ended_when_its_stream_is_forgotten() -> None:
    with running("processes") as runtime:
        stream = runtime.run(StuckSource(), StreamOptions())
        stream.finish()
        stream.finish()  # gives up waiting for it
        list(stream)
        assert texts(interpret(runtime, [2])) == ["word 2"]


def test_a_child_that_never_speaks_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows, where the owner holds both ends of the pipe until the child has taken its own."""
    ours, theirs = Pipe()
    dead = multiprocessing.get_context("spawn").Process(target=tone, args=(1,))
    dead.start()
    dead.join()
    assert not child.heard(dead, ours)
    monkeypatch.setattr(audio_process, "spawn", lambda *_: (dead, ours))
    capture = CapturedElsewhere(ToneSource([1]), b"", "s")
    with pytest.raises(DamagedInputError, match="has ended"):
        next(iter(capture))
    theirs.close()


def test_a_capture_that_cannot_begin_leaves_nothing_and_ends_its_stream(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no more processes")

    with running("processes") as runtime:
        with monkeypatch.context() as patch, pytest.raises(OSError, match="no more processes"):
            patch.setattr(audio_process, "spawn", refuse)
            runtime.run(ToneSource([1]), StreamOptions())
        assert runtime.statistics().streams == 0
        assert texts(interpret(runtime, [2])) == ["word 2"]


class Noting:
    """A connection that notes how long its messages are."""

    longest: ClassVar[int] = 0

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def send(self, message: object) -> None:
        self._note(message)
        self._connection.send(message)

    def recv(self) -> object:
        message = self._connection.recv()
        self._note(message)
        return message

    @classmethod
    def _note(cls, message: object) -> None:
        cls.longest = max(cls.longest, len(pickle.dumps(message)))

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)


def test_no_sound_is_pickled_on_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def noted(*args: Any) -> tuple[BaseProcess, Noting]:
        process, connection = child.spawn(*args)
        return process, Noting(connection)

    original = child.spawn
    monkeypatch.setattr(Noting, "longest", 0)
    monkeypatch.setattr(audio_process, "spawn", noted)
    with running("processes") as runtime:
        assert isinstance(runtime, ProcessesRuntime)
        for each in runtime._children:
            monkeypatch.setattr(each, "_connection", Noting(each._connection))
        (caption,) = list(runtime.run(LongSource(), StreamOptions()))
    assert child.spawn is original
    assert isinstance(caption, Caption)
    assert caption.end == 20.0
    assert 100 < Noting.longest < 3000  # one sample has four bytes, the sound 320 000 samples


class LongSource(RampSource):
    """One word of 20 s."""

    def __iter__(self) -> Iterator[AudioChunk]:
        yield AudioChunk(0, tone(7, 20.0))


def test_models_are_loaded_at_the_same_time() -> None:
    gate = Gate()

    class Loading(FakeBlueprint):
        def recognizer(self, concurrency: int) -> FakeRecognizer:
            gate.pass_through()
            return super().recognizer(concurrency)

        def translator(self) -> FakeTranslator:
            gate.pass_through()
            return super().translator()

    def let_in() -> None:
        gate.wait_inside(3)
        gate.open()

    opening = threading.Thread(target=let_in)
    opening.start()
    with running("processes", Loading(), workers=2) as runtime:
        opening.join()
        assert texts(interpret(runtime, [1])) == ["word 1"]


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="Windows has no signal masks")
def test_ctrl_c_while_a_process_starts_is_its_owners_business() -> None:
    started = child.Child("early", FakeSegmenter, "s")
    os.kill(started.pid, signal.SIGINT)
    os.kill(started.pid, signal.SIGTERM)
    try:
        started.ready()
        assert started.call("finish") == []
    finally:
        started.close()
        started.bury()


def test_a_process_that_dies_before_it_is_ready_says_so() -> None:
    started = child.Child("early", FakeSegmenter, "s")
    kill(started.pid)
    with pytest.raises(WorkerLostError, match="ended while it started"):
        started.ready()
    started.close()
    started.bury()


def test_a_deadline_that_fires_late_does_not_end_the_next_call() -> None:
    started = child.Child("kept", FakeSegmenter, "s")
    started.ready()
    with started.turn() as end:
        assert started.call("finish") == []
    end("too late")
    with started.turn() as end:
        assert started.call("finish") == []
        end("in time")
        with pytest.raises(WorkerLostError, match="in time"):
            started.call("finish")
    started.close()
    started.bury()


class Panicking:
    """A service that gives up as native code does."""

    def answer(self, word: int) -> int:
        if word == 2:
            raise SystemExit(f"cannot answer {word}")
        return word


def test_a_panic_in_a_process_ends_it_and_a_fresh_one_answers() -> None:
    started = child.Child("panics", Panicking)
    started.ready()
    with started.turn():
        assert started.call("answer", 1) == 1
        with pytest.raises(WorkerLostError, match="ended during a call"):
            started.call("answer", 2)
    started.restart()
    with started.turn():
        assert started.call("answer", 3) == 3
    started.close()
    started.bury()


def test_processes_and_names_can_be_asked_for_after_close() -> None:
    with running("processes") as runtime:
        before = processes(runtime)
    assert processes(runtime) == before
    assert isinstance(runtime, ProcessesRuntime)
    assert "asr-0" in repr(runtime._children)


def test_memory_that_was_let_go_of_is_refused_not_read() -> None:
    desk = Desk()
    block = desk.lay(tone(1))
    assert np.array_equal(block.read(3), tone(1)[:3])
    desk.close()
    with pytest.raises(WorkerLostError, match="closed"):
        desk.lay(tone(1))
    with pytest.raises(ValueError, match="is closed"):
        block.read(1)


def test_a_capture_that_is_killed_ends_the_stream_with_its_words_and_the_reason() -> None:
    with running("processes") as runtime:
        stream = runtime.run(ToneSource([1], endless=True), StreamOptions())
        reader = iter(stream)
        assert texts([next(reader)]) == ["word 1"]
        assert isinstance(runtime, ProcessesRuntime)
        kill(next(iter(runtime.captures.values())))
        assert list(reader) == []
        assert stream.damage == "the process that captured the sound has ended"


def test_a_source_that_cannot_move_is_captured_by_a_thread() -> None:
    class Local(ToneSource):
        """A class of a function cannot be pickled."""

    with running("processes") as runtime:
        assert texts(list(runtime.run(Local([1, 2]), StreamOptions()))) == ["word 1", "word 2"]


def test_a_recognizer_killed_in_a_call_is_replaced_and_its_utterance_tried_again() -> None:
    trace, gate = Trace(), Gate()
    recognizer = FakeRecognizer(gates={2: gate})
    with running("processes", FakeBlueprint(recognizer), workers=2, trace=trace) as runtime:
        stream = runtime.open(StreamOptions())
        stream.feed(speech([1, 2, 3, 4]))
        stream.finish()
        gate.wait_inside(1)
        before = processes(runtime)
        for name in ("asr-0", "asr-1"):
            kill(before[name])
        gate.wait_inside(2)  # the fresh process asks again
        gate.open()
        events = list(stream)
        after = processes(runtime)
    assert texts(events) == ["word 1", "word 2", "word 3", "word 4"]
    assert indices(events) == [0, 1, 2, 3]
    assert {span.process for span in trace.spans()} <= {*before.values(), *after.values()}
    assert len({span.process for span in trace.spans("asr") if span.index == 1}) == 2
    assert recognizer.calls.count(2) == 2
    assert any(after[name] != before[name] for name in ("asr-0", "asr-1"))
    assert after["vad"] == before["vad"]
    assert [mark.name for mark in trace.marks()].count("retry") >= 1


def test_mt_killed_in_a_call_is_replaced_and_done_targets_are_not_asked_for_again() -> None:
    gate = Gate()
    translator = FakeTranslator(gates={"es": gate})
    with running("processes", FakeBlueprint(fake_translator=translator)) as runtime:
        stream = runtime.open(StreamOptions(targets=("pt", "es")))
        stream.feed(speech([1, 2]))
        stream.finish()
        gate.wait_inside(1)
        kill(processes(runtime)["mt"])
        gate.wait_inside(2)
        gate.open()
        events = list(stream)
    assert texts(events, "pt") == ["pt:word 1", "pt:word 2"]
    assert texts(events, "es") == ["es:word 1", "es:word 2"]
    assert translator.calls == ["word 1", "word 1", "word 1", "word 2", "word 2"]


def test_an_utterance_that_kills_every_recognizer_fails_in_its_place() -> None:
    gate = Gate()
    with running("processes", FakeBlueprint(FakeRecognizer(gates={2: gate})), workers=1) as runtime:
        stream = runtime.open(StreamOptions())
        stream.feed(speech([1, 2, 3]))
        stream.finish()
        for attempt in (1, 2):
            gate.wait_inside(attempt)
            kill(processes(runtime)["asr-0"])
        events = list(stream)
        gate.open()
    assert texts(events) == ["word 1", "failure", "word 3"]
    assert isinstance(events[1], Failure)
    assert events[1].error == "the asr-0 process ended during a call"


def test_mt_killed_twice_fails_the_utterance_with_its_transcript() -> None:
    gate = Gate()
    with running(
        "processes", FakeBlueprint(fake_translator=FakeTranslator(gates={"word 1": gate}))
    ) as runtime:
        stream = runtime.open(StreamOptions())
        stream.feed(speech([1, 2]))
        stream.finish()
        for attempt in (1, 2):
            gate.wait_inside(attempt)
            kill(processes(runtime)["mt"])
        failure, caption = list(stream)
        gate.open()
    assert isinstance(failure, Failure)
    assert (failure.stage, failure.text) == ("mt", {"en": "word 1"})
    assert "the mt process ended during a call" in failure.error
    assert isinstance(caption, Caption)


def test_vad_killed_in_a_word_loses_neither_the_word_nor_its_place() -> None:
    asked = Gate(opened=True)

    class Telling(FakeSegmenter):
        def feed(self, chunk: AudioChunk) -> list[Cut]:
            asked.pass_through()
            return super().feed(chunk)

    with running("processes", FakeBlueprint(segmenter_type=Telling)) as runtime:
        stream = runtime.open(StreamOptions())
        stream.feed(AudioChunk(0, np.concatenate([tone(1), silence(), tone(2, 0.1)])))
        reader = iter(stream)
        assert texts([next(reader)]) == ["word 1"]
        asked.wait_arrived(4)
        kill(processes(runtime)["vad"])
        stream.feed(AudioChunk(6400, np.concatenate([tone(2, 0.1), silence(), tone(3), silence()])))
        stream.finish()
        rest = list(reader)
        statistics = stream.statistics()
    assert texts(rest) == ["word 2", "word 3"]
    assert indices(rest) == [1, 2]
    assert [(e.start, e.end) for e in rest if isinstance(e, Caption)] == [(0.3, 0.5), (0.6, 0.8)]
    assert statistics.samples_captioned == 3 * 3200


def test_vad_that_hangs_is_replaced_and_hears_the_word_again() -> None:
    clock, gate = ManualClock(), Gate()

    class Hanging(FakeSegmenter):
        def feed(self, chunk: AudioChunk) -> list[Cut]:
            if chunk.first == 3200:
                gate.pass_through()
            return super().feed(chunk)

    blueprint = FakeBlueprint(segmenter_type=Hanging)
    with running("processes", blueprint, clock=clock, vad_deadline_s=30) as runtime:
        stream = runtime.open(StreamOptions())
        stream.feed(speech([1, 2]))
        stream.finish()
        gate.wait_inside(1)
        clock.advance(31)
        gate.wait_inside(2)
        gate.open()
        assert texts(list(stream)) == ["word 1", "word 2"]


def test_a_hole_and_other_streams_survive_the_death_of_vad() -> None:
    with running("processes") as runtime:
        one, two = runtime.open(StreamOptions()), runtime.open(StreamOptions())
        one.feed(AudioChunk(0, tone(1)))
        two.feed(AudioChunk(0, np.concatenate([tone(8), silence()])))
        reader = iter(two)
        assert texts([next(reader)]) == ["word 8"]
        kill(processes(runtime)["vad"])
        one.feed(AudioChunk(32_000, tone(2)))
        one.finish()
        two.feed(AudioChunk(4800, tone(9)))
        two.finish()
        assert [event.type for event in one] == ["caption", "gap", "caption"]
        assert texts(list(reader)) == ["word 9"]


def test_processes_that_die_while_nobody_calls_are_replaced_by_the_next_call() -> None:
    with running("processes") as runtime:
        assert len(interpret(runtime, [1])) == 1
        for process in processes(runtime).values():
            kill(process)
        assert texts(interpret(runtime, [2, 3])) == ["word 2", "word 3"]


def test_a_run_begins_when_its_capture_is_about_to_read(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[bool] = []
    ready = CapturedElsewhere.ready

    def noted(capture: CapturedElsewhere) -> None:
        ready(capture)
        told.append(capture._connection.poll(0))  # nobody reads yet

    monkeypatch.setattr(CapturedElsewhere, "ready", noted)
    with running("processes") as runtime:
        stream = runtime.run(ToneSource([1], endless=True), StreamOptions(pace="realtime"))
        assert told == [True]
        stream.finish()
        assert texts(list(stream)) == ["word 1"]


@pytest.mark.skipif(not hasattr(os, "waitid"), reason="no way to wait for a death without telling its owner")
def test_a_process_that_died_before_it_was_asked_takes_no_try_from_the_utterance() -> None:
    gate = Gate()
    recognizer = FakeRecognizer(gates={2: gate})
    with running("processes", FakeBlueprint(recognizer), workers=1) as runtime:
        assert len(interpret(runtime, [1])) == 1
        idle = psutil.Process(processes(runtime)["asr-0"])
        kill(idle.pid)
        os.waitid(os.P_PID, idle.pid, os.WEXITED | os.WNOWAIT)  # dead for the owner too, whom nobody told
        stream = runtime.open(StreamOptions())
        stream.feed(speech([2, 3]))
        stream.finish()
        gate.wait_inside(1)
        kill(processes(runtime)["asr-0"])
        gate.wait_inside(2)
        gate.open()
        assert texts(list(stream)) == ["word 2", "word 3"]
    assert recognizer.calls.count(2) == 2


def test_utterances_longer_than_the_first_block_pass_whole() -> None:
    with running("processes") as runtime:
        stream = runtime.open(StreamOptions())
        (caption,) = fed(stream, AudioChunk(0, tone(5, 50.0)))
    assert isinstance(caption, Caption)
    assert caption.end == 50.0


def test_each_call_of_vad_is_in_the_trace_once() -> None:
    trace = Trace()
    with running("processes", trace=trace) as runtime:
        fed(runtime.open(StreamOptions()), speech(list(range(1, 31)), 0.01))  # several words a slice
    spans = [(span.start, span.end) for span in trace.spans("vad")]
    assert len(set(spans)) == len(spans) > 0


class HangingBlueprint(FakeBlueprint):
    """Recognitions that say so and never return."""

    def recognizer(self, concurrency: int) -> FakeRecognizer:  # noqa: ARG002
        return FakeRecognizer(work=_hang)


def _hang(_word: int) -> None:
    sys.stdout.write("inside\n")
    sys.stdout.flush()
    threading.Event().wait()


_OWNER = """
import sys
from decalage.config import RuntimeOptions, StreamOptions
from decalage.runtimes.processes import ProcessesRuntime
from decalage.testing.engines import speech
from tests.runtimes.test_processes import HangingBlueprint, RampSource
if __name__ == "__main__":
    runtime = ProcessesRuntime(HangingBlueprint(), RuntimeOptions(workers=2))
    stream = runtime.run(RampSource(endless=True), StreamOptions())
    print(*runtime.processes.values(), *runtime.captures.values(), flush=True)
    runtime.open(StreamOptions()).feed(speech([1]))
    sys.stdin.readline()
"""


@pytest.mark.parametrize("way", ["killed", "ends without close"])
def test_children_end_with_their_owner(tmp_path: Path, way: str) -> None:
    script = tmp_path / "owner.py"
    script.write_text(_OWNER, "utf-8")
    with subprocess.Popen(
        [sys.executable, str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as owner:
        assert owner.stdout is not None
        try:
            children = [psutil.Process(int(pid)) for pid in owner.stdout.readline().split()]
            assert owner.stdout.readline() == "inside\n"
            if way == "ends without close":
                owner.communicate("\n", timeout=30)
                assert owner.returncode == 0
        finally:
            owner.kill()
    assert len(children) == 5
    _, alive = psutil.wait_procs(children, timeout=30)
    assert alive == []
