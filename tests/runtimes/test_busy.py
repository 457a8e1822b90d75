"""Every runtime counts what its stages have worked, whoever worked and whatever came of it."""

from __future__ import annotations

import pytest

from decalage.audio import AudioChunk
from decalage.config import StreamOptions
from decalage.flow.trace import Trace
from decalage.runtimes.busy import BusySeconds
from decalage.testing import ManualClock
from decalage.testing.engines import FakeBlueprint, FakeRecognizer, ForeseeingSegmenter, tone
from tests.runtimes.kit import ELSEWHERE, RUNTIMES, interpret, running

PART = AudioChunk(0, tone(7, 0.05))
LIVE = StreamOptions(partials=True, stability="fast", pace="realtime")


def worked(trace: Trace) -> dict[str, float]:
    return {stage: sum(s.end - s.start for s in trace.spans(stage)) for stage in ("vad", "asr", "mt")}


@pytest.mark.parametrize("name", RUNTIMES)
def test_a_runtime_counts_the_seconds_of_each_stage_that_its_spans_tell(name: str) -> None:
    trace = Trace()
    with running(name, trace=trace, workers=2) as runtime:
        assert runtime.statistics().busy_s == {"vad": 0, "asr": 0, "mt": 0}
        interpret(runtime, [1, 2, 3])
    busy = runtime.statistics().busy_s
    assert busy == pytest.approx(worked(trace))
    assert min(busy.values()) > 0


@pytest.mark.parametrize(
    "name", sorted(set(RUNTIMES) - set(ELSEWHERE))
)  # other processes have clocks of their own
def test_work_counts_for_its_stage_alone_also_where_it_failed_or_was_rejected(name: str) -> None:
    clock = ManualClock()
    recognizer = FakeRecognizer(failing={2}, rejected={3}, work=lambda _: clock.advance(0.25))
    with running(name, FakeBlueprint(recognizer), clock=clock, workers=1) as runtime:
        events = interpret(runtime, [1, 2, 3])
        assert [event.type for event in events] == ["caption", "failure", "rejected"]
        assert runtime.statistics().busy_s["asr"] == pytest.approx(0.75)


@pytest.mark.parametrize("name", [name for name, runtime in RUNTIMES.items() if runtime.foresees])
def test_work_on_growing_captions_counts(name: str) -> None:
    trace = Trace()
    with running(name, FakeBlueprint(segmenter_type=ForeseeingSegmenter), trace=trace) as runtime:
        stream = runtime.open(LIVE)
        reader = iter(stream)
        stream.feed(PART)
        assert next(reader).type == "partial"
        stream.finish()
        assert [event.type for event in reader][-1] == "caption"
    assert any(span.revision is not None for span in trace.spans("asr"))
    assert runtime.statistics().busy_s == pytest.approx(worked(trace))


def test_what_was_read_does_not_change_with_what_comes_later() -> None:
    busy = BusySeconds()
    busy.add("asr", [0.5, 0.25])
    before = busy.by_stage()
    busy.add("asr", [1.0])
    assert before == {"vad": 0, "asr": 0.75, "mt": 0}
    assert busy.by_stage()["asr"] == 1.75
