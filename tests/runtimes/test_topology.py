"""Each runtime runs the stages where its option says, and none is another in disguise."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from decalage.audio import AudioChunk
from decalage.config import StreamOptions
from decalage.events import StageName
from decalage.flow.trace import Trace
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
)
from tests.runtimes.kit import fed, interpret, running, take, texts


def threads(trace: Trace, stage: StageName) -> set[str]:
    """Names of the threads that worked in ``stage``."""
    return {span.thread for span in trace.spans(stage)}


def test_sequential_does_one_thing_at_a_time_in_one_thread() -> None:
    trace = Trace()
    with running("sequential", workers=4, trace=trace) as runtime:
        interpret(runtime, list(range(1, 21)))
    spans = trace.spans()
    assert len(trace.spans("asr") + trace.spans("mt")) == 40
    assert len({(span.process, span.thread) for span in spans}) == 1
    assert not any(a.overlaps(b) for i, a in enumerate(spans) for b in spans[i + 1 :])


def test_pipeline_recognizes_n_utterances_at_a_time_over_one_recognizer() -> None:
    gate = Gate()
    blueprint = FakeBlueprint(FakeRecognizer(gate=gate))
    with running("pipeline", blueprint, workers=3) as runtime:
        stream = runtime.open(StreamOptions())
        stream.feed(speech([1, 2, 3, 4]))
        stream.finish()
        gate.wait_inside(3)
        assert blueprint.loads == [3]
        assert len(blueprint.fake_recognizer.calls) == 3
        gate.open()
        assert len(list(stream)) == 4


def test_pipeline_recognizes_the_next_utterance_while_it_translates_the_last() -> None:
    asr, mt, trace = Gate(), Gate(), Trace()
    blueprint = FakeBlueprint(FakeRecognizer(gates={2: asr}), FakeTranslator(gate=mt))
    with running("pipeline", blueprint, workers=1, trace=trace) as runtime:
        stream = runtime.open(StreamOptions())
        stream.feed(speech([1, 2]))
        stream.finish()
        mt.wait_inside(1)
        asr.wait_inside(1)
        mt.open()
        asr.open()
        assert texts(list(stream)) == ["word 1", "word 2"]
    (first_mt,) = [span for span in trace.spans("mt") if span.index == 0]
    (second_asr,) = [span for span in trace.spans("asr") if span.index == 1]
    assert first_mt.overlaps(second_asr)
    assert threads(trace, "vad") == {"vad-0"}
    assert threads(trace, "asr") == {"asr-0"}
    assert threads(trace, "mt") == {"mt-0"}
    assert {span.replica for span in trace.spans()} == {0}


def test_pipeline_holds_back_a_caption_that_is_ready_before_its_turn() -> None:
    gate, last = Gate(), Gate(opened=True)
    blueprint = FakeBlueprint(FakeRecognizer(gates={1: gate}), FakeTranslator(gates={"word 3": last}))
    with running("pipeline", blueprint, workers=2) as runtime:
        stream = runtime.open(StreamOptions())
        stream.feed(speech([1, 2, 3]))
        stream.finish()
        last.wait_arrived(1)  # so that word 2 is translated, and settled
        assert stream.statistics().in_flight == 3
        gate.open()
        assert texts(list(stream)) == ["word 1", "word 2", "word 3"]


def test_pool_recognizes_n_utterances_at_a_time_each_over_its_own_replica() -> None:
    gate, trace = Gate(), Trace()
    blueprint = FakeBlueprint(FakeRecognizer(gate=gate))
    with running("pool", blueprint, workers=3, trace=trace) as runtime:
        assert blueprint.loads == [1, 1, 1]
        stream = runtime.open(StreamOptions())
        stream.feed(speech([1, 2, 3]))
        stream.finish()
        gate.wait_inside(3)
        gate.open()
        assert len(list(stream)) == 3
    assert {span.replica for span in trace.spans("asr")} == {0, 1, 2}
    assert len(threads(trace, "asr")) == 3
    assert len(threads(trace, "vad")) == len(threads(trace, "mt")) == 1


def test_a_pool_worker_that_stands_in_for_a_hung_one_loads_its_own_replica() -> None:
    clock, gate, trace = ManualClock(), Gate(), Trace()
    blueprint = FakeBlueprint(FakeRecognizer(gates={1: gate}))
    with running("pool", blueprint, clock=clock, trace=trace, asr_deadline_s=30) as runtime:
        stream = runtime.open(StreamOptions())
        stream.feed(speech([1, 2]))
        stream.finish()
        gate.wait_inside(1)
        clock.advance(31)
        assert texts(list(stream)) == ["failure", "word 2"]
        gate.open()
    assert blueprint.loads == [1, 1]
    assert [span.replica for span in trace.spans("asr") if span.index == 1] == [1]


def test_a_replica_that_does_not_load_in_place_of_a_hung_one_fails_its_utterances_alone() -> None:
    clock, gate = ManualClock(), Gate()
    blueprint = FakeBlueprint(FakeRecognizer(gates={1: gate}))
    with running("pool", blueprint, clock=clock, asr_deadline_s=30) as runtime:
        other = runtime.open(StreamOptions())
        stream = runtime.open(StreamOptions())
        stream.feed(speech([1, 2]))
        gate.wait_inside(1)
        blueprint.load_error = MemoryError("no room for a copy")
        clock.advance(31)
        failure, second = take(iter(stream), 2)
        assert failure.error == "no answer within 30 s"
        assert second.error == "MemoryError: no room for a copy"
        blueprint.load_error = None
        assert texts(fed(other, speech([3]))) == ["word 3"]
        gate.open()
        stream.finish()
        assert list(stream) == []


def test_asyncio_gives_any_stage_to_any_thread_under_one_loop() -> None:
    gate, trace = Gate(), Trace()
    blueprint = FakeBlueprint(FakeRecognizer(gate=gate))
    with running("asyncio", blueprint, workers=2, trace=trace) as runtime:
        streams = [runtime.open(StreamOptions()) for _ in range(3)]
        for stream in streams:
            stream.feed(speech([1, 2, 3, 4]))
            stream.finish()
        gate.wait_inside(2)
        assert {thread.name for thread in threading.enumerate()} >= {"loop"}
        gate.open()
        assert all(len(list(stream)) == 4 for stream in streams)
    assert blueprint.loads == [2]
    assert {span.replica for span in trace.spans()} == {0}
    names = {span.thread for span in trace.spans()}
    assert names <= {f"thread-{n}" for n in range(4)}
    assert any(len({span.stage for span in trace.spans() if span.thread == name}) > 1 for name in names)


@pytest.mark.parametrize("name", ["pipeline", "pool", "asyncio"])
def test_asyncio_and_the_staged_runtimes_bound_recognitions_by_their_workers(name: str) -> None:
    one, two, trace = Gate(), Gate(), Trace()
    four, cut = Gate(opened=True), Gate(opened=True)

    class Telling(FakeSegmenter):
        def finish(self) -> list[Cut]:
            cut.pass_through()
            return super().finish()

    recognizer = FakeRecognizer(gates={1: one, 2: two, 4: four})
    blueprint = FakeBlueprint(recognizer, segmenter_type=Telling)
    with running(name, blueprint, workers=2, trace=trace) as runtime:
        stream = runtime.open(StreamOptions())
        stream.feed(speech([1, 2, 3, 4]))
        stream.finish()
        cut.wait_arrived(5)  # four words and the end: all of them wait for a recognition
        one.wait_inside(1)
        two.wait_inside(1)
        one.open()
        reader = iter(stream)
        assert texts([next(reader)]) == ["word 1"]
        four.wait_arrived(1)  # word 2 is held: one worker recognizes the others in turn
        two.open()
        assert len(list(reader)) == 3
    first, second, third, fourth = sorted(trace.spans("asr"), key=lambda span: span.index)
    assert first.overlaps(second)
    assert not any(a.overlaps(b) for a, b in [(first, third), (first, fourth), (third, fourth)])


def test_queues_drops_and_work_are_in_the_trace() -> None:
    gate, trace = Gate(), Trace()
    blueprint = FakeBlueprint(FakeRecognizer(gate=gate))
    bounds: dict[str, Any] = {"max_in_flight": 1, "max_inbox_s": 0.5, "max_spill_s": 0}
    with running("pipeline", blueprint, trace=trace, **bounds) as runtime:
        stream = runtime.open(StreamOptions(pace="realtime"))
        stream.feed(speech([1]))
        gate.wait_inside(1)
        stream.feed(AudioChunk(4800, silence(1.0)))
        gate.open()
        stream.finish()
        events = list(stream)
    assert [mark.name for mark in trace.marks()] == ["gap"] * sum(e.type == "gap" for e in events) != []
    queues = {depth.queue for depth in trace.depths()}
    assert queues == {f"inbox of {stream.name}, s", "waiting for ASR", "waiting for MT"}
    assert max(d.value for d in trace.depths() if d.queue.startswith("inbox")) <= 0.5
    assert [span.index for span in trace.spans("asr")] == [0]
