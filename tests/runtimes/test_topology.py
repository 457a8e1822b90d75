"""Each runtime runs the stages where its option says, and none is another in disguise."""

from __future__ import annotations

from decalage.config import StreamOptions
from decalage.flow.trace import Trace
from decalage.testing.engines import FakeBlueprint, FakeRecognizer, FakeTranslator, Gate, speech
from tests.runtimes.kit import interpret, running, texts


def test_sequential_does_one_thing_at_a_time_in_one_thread() -> None:
    trace = Trace()
    with running("sequential", workers=4, trace=trace) as runtime:
        interpret(runtime, list(range(1, 21)))
    spans = trace.spans()
    assert len(spans) == 40
    assert len({span.thread for span in spans}) == 1
    assert not any(a.overlaps(b) for i, a in enumerate(spans) for b in spans[i + 1 :])


def test_sequential_recognizes_nothing_while_it_translates() -> None:
    gate = Gate()
    recognizer = FakeRecognizer()
    blueprint = FakeBlueprint(recognizer, FakeTranslator(gate=gate))
    with running("sequential", blueprint) as runtime:
        stream = runtime.open(StreamOptions())
        stream.feed(speech([1, 2]))
        stream.finish()
        gate.wait_inside(1)
        assert recognizer.calls == [1]
        gate.open()
        assert texts(list(stream)) == ["word 1", "word 2"]


def test_pipeline_recognizes_n_utterances_at_a_time_over_one_recognizer() -> None:
    gate = Gate()
    blueprint = FakeBlueprint(FakeRecognizer(gate=gate))
    with running("pipeline", blueprint, workers=3) as runtime:
        stream = runtime.open(StreamOptions())
        stream.feed(speech([1, 2, 3, 4]))
        stream.finish()
        gate.wait_inside(3)
        assert blueprint.fake_recognizer.concurrency == 3
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
    assert {span.thread[:3] for span in trace.spans()} == {"asr", "mt-"}


def test_pipeline_holds_back_a_caption_that_is_ready_before_its_turn() -> None:
    gate = Gate()
    blueprint = FakeBlueprint(FakeRecognizer(gates={1: gate}))
    with running("pipeline", blueprint, workers=2) as runtime:
        stream = runtime.open(StreamOptions())
        stream.feed(speech([1, 2, 3]))
        stream.finish()
        gate.wait_inside(1)
        reader = iter(stream)
        gate.open()
        assert texts(list(reader)) == ["word 1", "word 2", "word 3"]
