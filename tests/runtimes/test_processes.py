"""Processes that die, hang or outlive their owner."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from decalage.audio import AudioChunk
from decalage.config import StreamOptions
from decalage.errors import DamagedInputError, InputError
from decalage.events import Caption, Failure
from decalage.flow.trace import Trace
from decalage.runtimes.local import LocalRuntime
from decalage.runtimes.processes import ProcessesRuntime
from decalage.speech import Segment
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
from tests.runtimes.kit import fed, indices, interpret, running, texts


def processes(runtime: LocalRuntime) -> dict[str, int]:
    assert isinstance(runtime, ProcessesRuntime)
    return runtime.processes


def kill(process: int) -> None:
    os.kill(process, getattr(signal, "SIGKILL", signal.SIGTERM))


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


@pytest.mark.parametrize("error", [DamagedInputError("the end is missing"), InputError("no sound")])
def test_what_a_source_raises_in_its_process_is_told_here(error: Exception) -> None:
    with running("processes") as runtime:
        stream = runtime.run(ToneSource([1], then=error), StreamOptions())
        assert texts(list(stream)) == ["word 1"]
        assert stream.damage == str(error)


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
        def feed(self, chunk: AudioChunk) -> list[Segment]:
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
        def feed(self, chunk: AudioChunk) -> list[Segment]:
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


def test_utterances_longer_than_the_first_block_pass_whole() -> None:
    with running("processes") as runtime:
        stream = runtime.open(StreamOptions())
        (caption,) = fed(stream, AudioChunk(0, tone(5, 50.0)))
    assert isinstance(caption, Caption)
    assert caption.end == 50.0


_ORPHANS = """
import sys, psutil
from decalage.config import RuntimeOptions
from decalage.runtimes.processes import ProcessesRuntime
from decalage.testing.engines import FakeBlueprint
if __name__ == "__main__":
    runtime = ProcessesRuntime(FakeBlueprint(), RuntimeOptions(workers=2))
    print(*runtime.processes.values(), flush=True)
    sys.stdin.read()
"""


def test_children_end_when_their_owner_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "owner.py"
    script.write_text(_ORPHANS, "utf-8")
    with subprocess.Popen(
        [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        children = [psutil.Process(int(pid)) for pid in owner.stdout.readline().split()]
        owner.kill()
    assert len(children) == 4
    _, alive = psutil.wait_procs(children, timeout=30)
    assert alive == []
