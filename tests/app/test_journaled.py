"""A run that keeps a journal: what is heard and answered is in it, in every runtime."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from decalage.app.journaled import Kept
from decalage.app.session import Session
from decalage.app.settings import Settings
from decalage.audio import AudioChunk, Samples
from decalage.config import StreamOptions
from decalage.events import Caption, Event, Failure, Partial, SpeechStarted, SpeechStopped, Summary, as_json
from decalage.runtimes.processes import ProcessesRuntime
from decalage.store.history import History
from decalage.store.history_database import history_path
from decalage.store.journal_folders import prune
from decalage.store.journal_reader import JournalContent, read_journal
from decalage.testing.engines import FakeBlueprint, FakeRecognizer, Gate, speech
from tests.app.resume_kit import Chunks, run, settled
from tests.runtimes.kit import RUNTIMES, ToneSource, running
from tests.store.history_kit import names, said, session
from tests.store.journal_kit import START, caption, only, runs

WORDS = [3125, 6250, 9375]
"""Exact in 16 bits."""
SAID = ["word 3125", "word 6250", "word 9375"]


def texts(events: list[Event]) -> list[str]:
    return [event.text["en"] if isinstance(event, Caption) else event.type for event in settled(events)]


def kept(root: Path) -> JournalContent:
    return read_journal(only(root))


def sound_of(content: JournalContent) -> Samples:
    ((first, samples),) = runs(content.chunks())
    assert first == 0
    return samples


@pytest.mark.parametrize("name", RUNTIMES)
def test_what_is_heard_and_answered_is_in_the_journal(name: str, tmp_path: Path) -> None:
    told: list[str] = []
    with running(name) as runtime:
        events = run(runtime, ToneSource(WORDS), Kept(Settings(), told.append, tmp_path), StreamOptions())
        if isinstance(runtime, ProcessesRuntime):
            assert not runtime.captures, "the journal is written in this process"
    content = kept(tmp_path)
    assert texts(events) == SAID
    assert [(each.seq, as_json(each.event)) for each in content.events] == list(
        enumerate(map(as_json, events), 1)
    )
    assert isinstance(content.events[-1].event, Summary)
    assert (content.ending, content.settings.start) == ("closed", START)
    np.testing.assert_array_equal(sound_of(content), speech(WORDS).samples)
    assert len(told) == 1
    assert str(content.folder) in told[0]
    assert "--no-journal" in told[0]


def test_a_source_that_breaks_off_is_over_once_what_came_is_answered(tmp_path: Path) -> None:
    with running("pipeline") as runtime:
        source = ToneSource(WORDS, then=OSError("unplugged"))
        events = run(runtime, source, Kept(Settings(), list[str]().append, tmp_path), StreamOptions())
    assert isinstance(events[-1], Summary)
    assert events[-1].damaged == "OSError: unplugged"
    assert kept(tmp_path).ending == "closed"


def test_what_is_for_the_moment_is_told_and_not_kept(tmp_path: Path) -> None:
    keeping = Kept(Settings(), list[str]().append, tmp_path)
    heard, _ = keeping.begin(ToneSource(WORDS), START, StreamOptions())
    assert len(list(heard)) == 1
    growing = Partial(0, 0, 0.0, 0.1, "en", {"en": "word"}, {"en": 0})
    events: list[Event] = [START, SpeechStarted(0.0), growing, caption(0), SpeechStopped(0.2)]
    assert list(keeping.told(events)) == events
    keeping.close()
    assert [each.event for each in kept(tmp_path).events] == [START, caption(0)]


def test_a_journal_that_cannot_be_made_costs_one_warning_and_no_caption(tmp_path: Path) -> None:
    told: list[str] = []
    (tmp_path / "file").touch()
    with running("pipeline") as runtime:
        keeping = Kept(Settings(), told.append, tmp_path / "file")
        events = run(runtime, ToneSource(WORDS), keeping, StreamOptions())
    assert texts(events) == SAID
    assert len(told) == 1
    assert "--no-journal" in told[0]


def test_a_journal_that_stops_costs_one_warning_and_no_caption(tmp_path: Path) -> None:
    told: list[str] = []

    def broken() -> Iterator[AudioChunk]:
        Path(told[0].partition(" kept in ")[2].partition(" for ")[0]).touch()  # something has its name
        yield speech(WORDS)

    with running("pipeline") as runtime:
        keeping = Kept(Settings(), told.append, tmp_path)
        events = run(runtime, Chunks(broken()), keeping, StreamOptions())
    assert texts(events) == SAID
    assert ["stopped, captions go on" in line for line in told] == [False, True]


def second_ctrl_c(root: Path, told: list[str]) -> list[Event]:
    """A recognizer that hangs in the second word, and a person who does not wait for it."""
    gate = Gate()
    blueprint = FakeBlueprint(fake_recognizer=FakeRecognizer(gates={WORDS[1]: gate}))
    with running("pipeline", blueprint) as runtime:
        keeping = Kept(Settings(), told.append, root)
        heard, options = keeping.begin(ToneSource(WORDS), START, StreamOptions())
        session = Session(runtime, runtime.run(heard, options), START, before_close=keeping.leave)
        events: list[Event] = []
        with session.ladder:
            for event in keeping.told(session):
                events.append(event)
                if isinstance(event, Caption):
                    gate.wait_inside(1)
                    session.ladder.descend()
                    session.ladder.descend()
                elif isinstance(event, Failure):
                    gate.open()  # too late
        keeping.close()
    return events


def test_after_a_second_ctrl_c_the_journal_claims_no_answer_that_was_given_up(tmp_path: Path) -> None:
    told: list[str] = []
    events = second_ctrl_c(tmp_path, told)
    assert any(isinstance(event, Failure) for event in events)
    content = kept(tmp_path)
    assert texts([each.event for each in content.events]) == SAID[:1]
    assert content.ending is None
    np.testing.assert_array_equal(sound_of(content), speech(WORDS).samples)
    assert "decalage resume" in told[-1]


def test_sound_that_the_stream_did_not_take_leaves_the_session_open(tmp_path: Path) -> None:
    """Captured when nobody listened any more: in the journal, and to be captioned later."""
    with running("pipeline") as runtime:
        keeping = Kept(Settings(), list[str]().append, tmp_path)
        heard, options = keeping.begin(Chunks([speech(WORDS)]), START, StreamOptions())
        chunk = next(iter(heard))
        stream = runtime.open(options)
        stream.feed(replace_samples(chunk))
        stream.finish()
        events = list(keeping.told(Session(runtime, stream, START)))
        keeping.close()
    assert isinstance(events[-1], Summary)
    content = kept(tmp_path)
    assert content.ending is None
    assert not any(isinstance(each.event, Summary) for each in content.events)


def replace_samples(chunk: AudioChunk) -> AudioChunk:
    """All but the last of it."""
    return replace(chunk, samples=chunk.samples[:-1])


def test_the_text_of_a_journal_that_goes_is_kept_before(tmp_path: Path) -> None:
    root = tmp_path / "journal"
    folder = session(root, [said(0, en="The country is large.")], "20260101T030405Z-00000001")
    (folder / "large").touch()
    os.truncate(folder / "large", 10**10)  # more than all may take
    for path in (*folder.iterdir(), folder):
        os.utime(path, (0, 0))
    with running("pipeline") as runtime:
        run(runtime, ToneSource(WORDS), Kept(Settings(), list[str]().append, root), StreamOptions())
    assert not folder.exists()
    with History(history_path(root)) as history:
        assert names(history, "country") == [folder.name]


def test_a_session_that_is_over_is_held_by_nobody(tmp_path: Path) -> None:
    with running("pipeline") as runtime:
        run(runtime, ToneSource(WORDS), Kept(Settings(), list[str]().append, tmp_path), StreamOptions())
    prune(tmp_path, most_bytes=0, longest_s=0, now=only(tmp_path).stat().st_mtime + 100)
    assert list(tmp_path.iterdir()) == []
