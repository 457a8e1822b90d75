"""Whatever moment a session is cut off at, resuming it answers what was heard, each sample and index once."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decalage.app.compose import ModelBlueprint, shared_vad
from decalage.app.journaled import Unkept
from decalage.app.resumed import Resumed, settings_of
from decalage.app.session import Session
from decalage.app.settings import Settings
from decalage.audio import AudioChunk, Samples, sample_count, seconds
from decalage.config import RecognizerOptions, SegmenterOptions
from decalage.contracts import Segmenter
from decalage.errors import UsageError
from decalage.events import Caption, Event, Failure, Gap, LanguageChanged, Settled, Start, Summary
from decalage.runtimes.local import LocalRuntime
from decalage.sources.file import FileSource
from decalage.speech import Utterance
from decalage.stages.segmenter import VadSegmenter
from decalage.store.journal import Journal, JournalOptions
from decalage.store.journal_reader import JournalContent, read_journal, sound_end
from decalage.store.journal_settings import Models
from decalage.store.journal_unfinished import Reopened
from tests.app.resume_kit import (
    FRAME,
    FULL_SCALE,
    OPTIONS,
    Chunks,
    loud_runtime,
    quiet,
    resumed,
    run,
    settled,
    word,
)
from tests.store.journal_kit import MODELS, START, caption

SAMPLES = Path(__file__).parents[2] / "samples"
NO_MODELS = ModelBlueprint(Path(), None, {}, 1, "cpu", "int8")
SPOKEN = np.concatenate(
    [
        *(word(1000, 9_000), quiet(7_000), word(2000, 300), quiet(12_345), word(3000, 70_000), quiet(5_000)),
        *(
            word(4000, 16_001),
            quiet(40_000),
            word(5000, 5_000),
            quiet(3_100),
            word(6000, 20_000),
            quiet(9_999),
        ),
    ]
)
"""Words, a burst too short to be one, and speech that is longer than an utterance may be."""
HOLE = (60_000, 77_777)
"""Samples that were never captured, in the middle of speech."""
BURST = (16_000, 16_300)
"""Too short to be a word."""
LONGEST = sample_count(OPTIONS.segmenter.max_utterance_s) + FRAME
"""Samples after which an utterance has ended."""
SHORTEST = 2 * FRAME + 960
"""Samples that are surely speech: less may be a burst."""


def chunks() -> Iterator[AudioChunk]:
    for first, end in ((0, HOLE[0]), (HOLE[1], len(SPOKEN))):
        for place in range(first, end, 1111):
            yield AudioChunk(place, SPOKEN[place : min(place + 1111, end)])


@pytest.fixture(scope="module")
def runtime() -> Iterator[LocalRuntime]:
    made = loud_runtime()
    yield made
    made.close()


@pytest.fixture(scope="module")
def whole(runtime: LocalRuntime, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The journal of a session that was not cut, a file of sound a second."""
    root = tmp_path_factory.mktemp("journal")
    journal = Journal(MODELS, root, JournalOptions(segment_s=1.0))
    recording = journal.begin(START, OPTIONS)
    for chunk in chunks():
        recording.sound(chunk)
    for seq, event in enumerate(run(runtime, Chunks(chunks()), Unkept()), 1):
        recording.event(seq, event)
    recording.close()
    journal.close()
    (folder,) = root.iterdir()
    return folder


def cut_copy(whole: Path, root: str, events: float, sound: float) -> Path:
    """``whole`` as it was when so much of its events, and of its sound, had been written: 0 … 1, in bytes."""
    folder = Path(shutil.copytree(whole, Path(root) / whole.name))
    cut(folder / "events.jsonl", events)
    files = sorted(folder.glob("sound-*"))
    left = round(sound * sum(path.stat().st_size for path in files))
    for path in files:
        size = path.stat().st_size
        if left <= 0:
            path.unlink()
        elif size > left:
            path.write_bytes(path.read_bytes()[:left])
        left -= size
    return folder


def cut(path: Path, share: float) -> bytes:
    """Leave this share of ``path``, from its first byte on."""
    kept = path.read_bytes()[: round(share * path.stat().st_size)]
    path.write_bytes(kept)
    return kept


def places(events: list[Settled]) -> list[tuple[int, int]]:
    return [(sample_count(event.start), sample_count(event.end)) for event in events]


def said(events: list[Settled]) -> list[tuple[object, ...]]:
    """All of it but when it was worked out."""
    texts = [dict(event.text) if isinstance(event, Caption) else event.type for event in events]
    return [(event.index, event.start, event.end, text) for event, text in zip(events, texts, strict=True)]


def holds_each_sample_once(content: JournalContent) -> None:
    """The property, from the journal alone."""
    events = settled([each.event for each in content.events])
    assert [event.index for event in events] == list(range(len(events)))
    assert [each.seq for each in content.events] == list(range(1, len(content.events) + 1))
    spans = places(events)
    assert all(
        before <= first < end for (_, before), (first, end) in zip([(0, 0), *spans], spans, strict=False)
    )
    covered = np.zeros(len(SPOKEN), np.int8)
    for first, end in spans:
        covered[first:end] += 1
    assert not np.any(covered > 1)
    speech = SPOKEN != 0
    for first, end in (BURST, HOLE, (sound_end(content.folder) - SHORTEST, len(SPOKEN))):
        speech[max(0, first) : end] = False
    assert np.all(covered[speech] == 1), "speech without an answer"
    reached = max(sound_end(content.folder), spans[-1][1] if spans else 0)
    gaps = [span for event, span in zip(events, spans, strict=True) if isinstance(event, Gap)]
    assert gaps == ([HOLE] if reached >= HOLE[1] else [])


@given(events=st.floats(0, 1), sound=st.floats(0, 1), again=st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_cut_at_any_byte_it_is_resumed_to_what_an_uncut_run_says(
    whole: Path, runtime: LocalRuntime, events: float, sound: float, again: float
) -> None:
    """And so is a resume that was cut at any byte itself."""
    with TemporaryDirectory() as root:
        folder = cut_copy(whole, root, events, sound)
        answered = settled([each.event for each in read_journal(folder).events])
        resumed(runtime, folder)
        cut(folder / "events.jsonl", again)
        before = settled([each.event for each in read_journal(folder).events])
        told = resumed(runtime, folder)
        content = read_journal(folder)
        assert content.ending == "closed"
        holds_each_sample_once(content)
        now = settled([each.event for each in content.events])
        assert said(now)[: len(before)] == said(before)
        assert said(settled(told)) == said(now)
        assert [type(event) for event in (told[0], told[-1])] == [Start, Summary]
        if not answered or sample_count(answered[-1].start) + LONGEST <= sound_end(folder):
            # as it is when a program is killed: what an answer was decided on is there
            alone = run(runtime, Chunks(content.chunks()), Unkept())
            assert said(settled(alone)) == said(now)


def test_a_resume_that_is_stopped_keeps_no_half_a_word_and_can_be_resumed(
    whole: Path, runtime: LocalRuntime, tmp_path: Path
) -> None:
    """Ctrl-C: what was read is captioned to the end on the screen, and once more by the next one."""
    folder = cut_copy(whole, str(tmp_path), 0.0, 1.0)
    with closing(Reopened(folder)) as journal:
        keeping = Resumed(journal, pytest.fail)
        source, options = keeping.begin(keeping.source, START, OPTIONS)
        chunks_of = iter(source)
        stream = runtime.open(options)
        for _ in range(20):
            stream.feed(next(chunks_of))
        source.stop()
        stream.finish()
        events = list(keeping.told(Session(runtime, stream, START)))
        keeping.close()
    assert settled(events)
    left = read_journal(folder)
    assert (settled([each.event for each in left.events]), left.ending) == ([], None)
    resumed(runtime, folder)
    holds_each_sample_once(read_journal(folder))


def test_what_is_given_up_in_a_resume_is_answered_by_the_next(whole: Path, tmp_path: Path) -> None:
    folder = cut_copy(whole, str(tmp_path), 0.0, 1.0)
    with closing(Reopened(folder)) as journal:
        keeping = Resumed(journal, pytest.fail)
        keeping.begin(keeping.source, START, OPTIONS)
        keeping.leave()
        given_up = Failure(0, 0.0, 0.7, "asr", "the runtime was closed")
        assert settled(list(keeping.told([START, given_up]))) == [given_up]
        keeping.close()
    assert settled([each.event for each in read_journal(folder).events]) == []


def test_a_journal_that_cannot_be_added_to_costs_one_warning_and_no_caption(
    whole: Path, runtime: LocalRuntime, tmp_path: Path
) -> None:
    folder = cut_copy(whole, str(tmp_path), 0.0, 1.0)
    told: list[str] = []

    def broken(_descriptor: int) -> None:
        raise OSError(5, "the disk is broken")

    with closing(Reopened(folder, sync=broken)) as journal:
        keeping = Resumed(journal, told.append)
        events = run(runtime, keeping.source, keeping)
    assert len(settled(events)) == len(settled([each.event for each in read_journal(whole).events]))
    assert told == [f"nothing more is added to {folder.name}, captions go on: the disk is broken"]


def test_a_journal_that_cannot_even_be_closed_costs_one_warning_and_no_caption(
    whole: Path, tmp_path: Path
) -> None:
    folder = cut_copy(whole, str(tmp_path), 0.0, 1.0)
    told: list[str] = []

    def broken(descriptor: int) -> None:
        os.close(descriptor)
        raise OSError(5, "the disk is broken")

    with closing(Reopened(folder, sync=broken)) as journal:
        keeping = Resumed(journal, told.append)
        assert list(keeping.told([START, caption(0)])) == [START, caption(0)]
        keeping.close()
    assert told == [f"nothing more is added to {folder.name}, captions go on: the disk is broken"]


def test_a_language_that_goes_on_is_not_told_again(whole: Path, tmp_path: Path) -> None:
    """The recognizer tells the language anew: only another one than before is a change."""
    folder = cut_copy(whole, str(tmp_path), 0.3, 1.0)
    with closing(Reopened(folder)) as journal:
        keeping = Resumed(journal, pytest.fail)
        first = journal.found.next_index
        before = Gap(0, 0.0, seconds(journal.found.answered), "device", captured=False)
        told: list[Event] = [
            *(START, before, LanguageChanged(1, "en", None), caption(1)),
            *(LanguageChanged(2, "pt", "en"), replace(caption(2), source="pt")),
        ]
        events = list(keeping.told(told))[-3:]
        keeping.close()
    assert events == [
        replace(caption(1), index=first),
        LanguageChanged(first + 1, "pt", "en"),
        replace(caption(2), source="pt", index=first + 1),
    ]


def test_the_summary_is_of_the_whole_session_and_its_lag_of_when_it_was_live(
    whole: Path, runtime: LocalRuntime, tmp_path: Path
) -> None:
    events = resumed(runtime, cut_copy(whole, str(tmp_path), 0.4, 1.0))
    summary = events[-1]
    assert isinstance(summary, Summary)
    kinds = [event.type for event in settled(events)]
    assert summary.utterances == len(kinds)
    assert (summary.captions, summary.gaps) == (kinds.count("caption"), kinds.count("gap"))
    assert sample_count(summary.audio_s) == len(SPOKEN) - (HOLE[1] - HOLE[0])
    assert (summary.rtf, summary.lag) == (None, None)  # the session was not a live one


def test_the_settings_are_those_of_the_session_but_for_what_only_a_listener_needs(tmp_path: Path) -> None:
    live = replace(
        OPTIONS,
        targets=("es",),
        recognizer=RecognizerOptions(language="auto", beam=3, prompt="Glossary: Dorothea."),
        segmenter=replace(OPTIONS.segmenter, pause_s=0.15, revise_s=0.4, clauses=True),
        pace="realtime",
        partials=True,
    )
    models = Models(model="/models/own", device="cpu", compute_type="float32", engine="ctranslate2")
    journal = Journal(models, tmp_path)
    recording = journal.begin(START, live)
    recording.sound(AudioChunk(0, SPOKEN))
    journal.close()
    with closing(Reopened(recording.folder.folder)) as reopened:
        settings_ = settings_of(reopened.found, Settings(targets=(), workers=7))
        assert (settings_.source, settings_.targets, settings_.pace) == ("auto", ("es",), "max")
        assert (settings_.model, settings_.device, settings_.compute_type) == (
            "/models/own",
            "cpu",
            "float32",
        )
        assert (settings_.engine, settings_.beam, settings_.workers) == ("ctranslate2", 3, 7)
        assert settings_of(reopened.found, Settings(targets=("pt",))).targets == ("pt",)
        made = replace(OPTIONS, directions=frozenset({("en", "pt")}))
        _, options = Resumed(reopened, pytest.fail).begin(Chunks([]), START, made)
    assert options == replace(
        live,
        targets=("pt",),
        directions=made.directions,
        segmenter=OPTIONS.segmenter,
        pace="max",
        partials=False,
    )


def test_an_engine_that_is_unknown_is_refused(whole: Path, tmp_path: Path) -> None:
    folder = cut_copy(whole, str(tmp_path), 0.4, 1.0)
    body = json.loads((folder / "session.json").read_bytes())
    (folder / "session.json").write_text(
        json.dumps({**body, "models": {**body["models"], "engine": "abacus"}})
    )
    with closing(Reopened(folder)) as journal, pytest.raises(UsageError, match="'abacus'"):
        settings_of(journal.found, Settings(targets=()))


def test_voice_activity_goes_on_as_if_nothing_had_been(tmp_path: Path) -> None:
    """Resumed after any utterance of real speech, the rest is cut where an uncut run cuts it."""
    loud = np.concatenate([chunk.samples for chunk in FileSource(str(SAMPLES / "talk.flac"))])
    spoken = (np.rint(loud * FULL_SCALE) / FULL_SCALE).astype(np.float32)  # as a journal keeps it
    options = SegmenterOptions()
    uncut = segments(VadSegmenter("s", shared_vad().detector(), options), spoken, 0)
    journal = Journal(MODELS, tmp_path)
    recording = journal.begin(START, replace(OPTIONS, segmenter=options))
    recording.sound(AudioChunk(0, spoken))
    journal.close()
    folder = recording.folder.folder
    for number, utterance in enumerate(uncut[:-1]):
        with closing(Reopened(folder)) as reopened:
            reopened.event(number + 1, replace(caption(number), start=utterance.start, end=utterance.end))
        with closing(Reopened(folder)) as reopened:
            segmenter = Resumed(reopened, pytest.fail).stages(NO_MODELS).segmenter("s", options)
            rest = segments(segmenter, spoken, reopened.found.answered)
        assert [(each.first, each.end) for each in rest] == [
            (each.first, each.end) for each in uncut[number + 1 :]
        ]


def segments(segmenter: Segmenter, spoken: Samples, first: int) -> list[Utterance]:
    """What is cut from sample ``first`` on."""
    cuts = segmenter.miss(0, first, captured=False) if first else []
    cuts = [*cuts, *segmenter.feed(AudioChunk(first, spoken[first:])), *segmenter.finish()]
    return [each for each in cuts if isinstance(each, Utterance)]
