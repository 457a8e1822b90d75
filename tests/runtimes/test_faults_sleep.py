"""The machine sleeps in the middle of live speech, and wakes."""

from __future__ import annotations

import pytest

from decalage.audio import SAMPLE_RATE
from decalage.config import StreamOptions
from decalage.events import Caption, Gap
from decalage.sources.microphone import MicrophoneSource
from decalage.testing import ManualClock
from decalage.testing.engines import FakeBlueprint, FakeRecognizer, Gate, heard, tone
from tests.runtimes.kit import RUNTIMES, running, take, texts
from tests.sources.test_microphone import FakeDevice, said

SLEPT_S = 3600


def level(word: int) -> float:
    """How loud a device gives ``word``, 0 for a silence."""
    return float(tone(word, 0.1)[0]) if word else 0.0


@pytest.mark.parametrize("name", RUNTIMES)
@pytest.mark.parametrize("runs_on", [False, True], ids=["clock stands still", "clock runs on"])
def test_a_sleep_is_a_declared_gap_of_its_length_and_what_was_under_way_is_captioned(
    name: str, runs_on: bool
) -> None:
    clock, outside, gate, device = ManualClock(), ManualClock(), Gate(), FakeDevice()
    source = MicrophoneSource(device, clock=outside)
    with running(name, FakeBlueprint(FakeRecognizer(gates={1: gate})), clock=clock) as runtime:
        stream = runtime.run(source, StreamOptions(pace="realtime"))
        for word in (1, 1, 0, 2):
            said(device, outside, level(word))
        gate.wait_inside(1)
        outside.until_waiting(1)
        outside.advance(SLEPT_S)
        outside.until_waiting(1)  # the device has been opened again
        if runs_on:
            clock.advance(SLEPT_S)
        for word in (3, 3, 0):
            said(device, outside, level(word))
        gate.open()
        captions = take(iter(stream), 4)
        stream.finish()
        assert list(stream) == []
        statistics = stream.statistics()
    assert texts(captions) == ["word 1", "word 2", "gap", "word 3"]
    gap, after = captions[2], captions[3]
    assert isinstance(gap, Gap)
    assert isinstance(after, Caption)
    assert (gap.cause, gap.captured) == ("device", False)
    assert gap.start == pytest.approx(0.4, abs=0.2)
    assert gap.end - gap.start == pytest.approx(SLEPT_S, abs=0.2)
    assert after.start == pytest.approx(gap.end)
    assert after.lag is not None
    assert after.lag < 60, "the stream's clock has slept as long as the speaker went on"
    assert statistics.samples_captioned == round(0.5 * SAMPLE_RATE)


def test_a_word_is_what_a_device_gives() -> None:
    assert heard(tone(7)) == round(level(7) * 100_000)
