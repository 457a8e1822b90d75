"""That the chaos trial finds what a fault harmed, and excuses no more than that."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from decalage.audio import SAMPLE_RATE
from decalage.config import RecognizerOptions, SegmenterOptions
from decalage.errors import DamagedInputError, EngineError
from decalage.events import Caption, Failure, Gap, Settled, Timing
from decalage.runtimes.sound_block import SoundBlock
from decalage.sources.file import FileSource
from decalage.speech import Utterance
from decalage.testing.engines import FakeBlueprint, speech, tone
from scripts.chaos import families, lines
from scripts.trial_bench import CHUNK, Bench, Played, nothing_left
from scripts.trial_faults import HOW, Fault, FaultyBlueprint, Panic
from scripts.trial_rounds import write
from scripts.trial_verdict import Excused, Span, Verdict
from scripts.trial_watch import blocks_of


def caption(index: int, start: float, end: float, text: str) -> Caption:
    timing = Timing(end - 0.2, end, end, end, end, end, end)
    return Caption(index, start, end, "en", {"en": text, "pt": f"pt {text}"}, timing, None, None)


UNHARMED = [
    caption(0, 0.5, 3.0, "The first one of all."),
    caption(1, 3.5, 6.0, "And then the second."),
    caption(2, 6.5, 9.0, "A third for the end."),
]


def judged(events: Sequence[Settled], excused: Excused | None = None) -> Verdict:
    verdict = Verdict("fault", "pipeline")
    verdict.hold(events, UNHARMED, excused or Excused())
    return verdict


def changed(**fields: object) -> list[Settled]:
    """The three with the second one changed."""
    return [UNHARMED[0], replace(UNHARMED[1], **fields), UNHARMED[2]]  # type: ignore[arg-type]


def instead(event: Settled) -> list[Settled]:
    return [UNHARMED[0], event, UNHARMED[2]]


LIVE = replace(UNHARMED[1], text={"en": "And when the second.", "pt": ""})
FAILED = Failure(1, 3.5, 6.0, "asr", "?")


def test_an_undisturbed_run_survives() -> None:
    verdict = judged(UNHARMED)
    assert verdict.survived
    assert (verdict.failures, verdict.recut, verdict.harmed) == (0, 0, 0)


@pytest.mark.parametrize(
    ("events", "told"),
    [
        ([UNHARMED[0], UNHARMED[2]], "lost: 1"),
        (changed(text={"en": "And then another.", "pt": "?"}), "words: 1"),
        (changed(start=3.53, text={"en": "Something else.", "pt": "?"}), "words: 1"),
        (changed(errors={"pt": "?"}), "1 failed and not excused"),
        (instead(FAILED), "1 failed and not excused"),
        (instead(Gap(1, 3.5, 6.0, "overload")), "1 failed and not excused"),
        (changed(start=3.53), "1 cut otherwise and not excused"),
    ],
)
def test_what_is_harmed_is_told(events: Sequence[Settled], told: str) -> None:
    verdict = judged(events)
    assert not verdict.survived
    assert verdict.harmed == 1
    assert told in verdict.wrong[0]


@pytest.mark.parametrize(
    ("events", "excused"),
    [
        (instead(FAILED), Excused(failures=1)),
        (instead(FAILED), Excused(touched=[Span(4.0, 4.1)])),
        ([UNHARMED[0], UNHARMED[2]], Excused(touched=[Span(4.0, 4.1)])),
        (changed(start=3.53), Excused(recut=1)),
        (UNHARMED[:2], Excused(until_s=7.0)),
        (changed(text={"en": "and then, the second", "pt": "?"}), Excused(live=[])),
        (changed(text={"en": "And when the second.", "pt": "?"}), Excused(live=[LIVE])),
    ],
)
def test_what_the_fault_excuses_is_survived(events: Sequence[Settled], excused: Excused) -> None:
    assert judged(events, excused).survived


def test_an_excuse_covers_one_place_and_no_other() -> None:
    assert not judged([UNHARMED[0], UNHARMED[2]], Excused(touched=[Span(7.0, 8.0)])).survived
    assert not judged([Failure(0, 0.5, 3.0, "asr", "?"), FAILED, UNHARMED[2]], Excused(failures=1)).survived
    assert not judged(changed(text={"en": "And then the third.", "pt": "?"}), Excused(live=[LIVE])).survived


def test_two_utterances_made_of_one_are_cut_otherwise() -> None:
    halves = [caption(1, 3.5, 4.6, "And then"), caption(2, 4.6, 6.0, "the second.")]
    verdict = judged([UNHARMED[0], *halves, replace(UNHARMED[2], index=3)], Excused(recut=1))
    assert verdict.survived
    assert verdict.recut == 1


@pytest.mark.parametrize("how", [how for how in HOW if how != "late"])
def test_an_engine_fails_where_it_is_told_to(how: str) -> None:
    fault = Fault("asr", how, index=1)  # type: ignore[arg-type]
    recognizer = FaultyBlueprint(FakeBlueprint(), fault).recognizer(1)
    utterances = [Utterance("s", index, 0, tone(7), 0.2) for index in range(2)]
    assert recognizer.recognize(utterances[0], RecognizerOptions())
    expected = {"error": EngineError, "foreign error": ValueError, "no memory": MemoryError, "panic": Panic}
    with pytest.raises(expected[how]):
        recognizer.recognize(utterances[1], RecognizerOptions())


def test_a_segmenter_fails_once_and_a_translator_on_one_text() -> None:
    blueprint = FaultyBlueprint(FakeBlueprint(), Fault("vad", "error", sample=100))
    segmenter = blueprint.segmenter("s", SegmenterOptions())
    with pytest.raises(EngineError):
        segmenter.feed(speech([1]))
    assert segmenter.feed(speech([1]))
    translator = FaultyBlueprint(FakeBlueprint(), Fault("mt", "error", text="word 2")).translator()
    assert translator.translate("word 1", source="en", target="pt").text == "pt:word 1"
    with pytest.raises(EngineError):
        translator.translate("word 2", source="en", target="pt")


def test_a_source_has_its_hole_and_its_error() -> None:
    samples = np.arange(10 * CHUNK, dtype=np.float32)
    hole = [chunk.first for chunk in Played(samples, hole=(2 * CHUNK, 4 * CHUNK))]
    assert hole == [CHUNK * n for n in (0, 1, 4, 5, 6, 7, 8, 9)]
    broken, heard = Played(samples, raises=(3 * CHUNK, OSError("gone"))), []
    with pytest.raises(OSError, match="gone"):
        heard += [chunk.first for chunk in broken]
    stopped = Played(samples)
    stopped.stop()
    assert list(stopped) == []


@pytest.mark.parametrize("form", ["wav", "flac"])
def test_a_piece_is_the_same_sound_as_a_file(tmp_path: Path, form: str) -> None:
    path = tmp_path / f"piece.{form}"
    sound = ((np.arange(2 * SAMPLE_RATE) % 20_000 - 10_000) / (1 << 15)).astype(np.float32)
    write(path, sound)
    assert np.array_equal(np.concatenate([chunk.samples for chunk in FileSource(str(path))]), sound)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DamagedInputError):
        list(FileSource(str(path)))


def test_shared_memory_that_is_left_is_told() -> None:
    verdict = Verdict("fault", "processes")
    with nothing_left(verdict) as look:
        block = SoundBlock(1000)
        look()
    try:
        assert verdict.wrong == [f"left: shared memory {block.name}"]
    finally:
        block.close()
    assert block.name not in blocks_of(os.getpid())


def test_every_fault_has_a_row_of_its_own() -> None:
    verdicts = [
        Verdict("a", "pool", hit=True, retried=1),
        Verdict("b", "pool", failures=2),
        Verdict("a", "pipeline", wrong=["?"], harmed=3),
    ]
    assert lines("engines", verdicts) == [
        ["engines", "a", 2, 1, 1, 1, 0, 0, 3],
        ["engines", "b", 1, 0, 1, 0, 2, 0, 0],
    ]


@pytest.mark.real
def test_faults_have_names_of_their_own() -> None:
    names = [fault for faults in families(Bench(1)).values() for fault in faults]
    assert len(set(names)) == len(names) > 30
