"""``serve --journal``: what came and what was answered is in the journal; without it nothing is anywhere."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from decalage.app.commands.serve import journal_of
from decalage.app.server.door import Door
from decalage.app.server.hall import Hall
from decalage.app.server.protocol import Limits, Resume
from decalage.app.server.web import Service
from decalage.app.settings import Settings
from decalage.audio import SAMPLE_RATE, Samples
from decalage.events import as_json
from decalage.store.history import History
from decalage.store.journal import Journal
from decalage.store.journal_folders import journal_folder
from decalage.store.journal_reader import JournalContent, read_journal
from decalage.store.journal_settings import Models
from decalage.testing import ManualClock
from decalage.testing.engines import speech
from tests.app.resume_kit import resumed
from tests.app.server_kit import CONFIG, FakeBooth, config, fake_booth, pcm, read_out
from tests.store.history_kit import names, said, session
from tests.store.journal_kit import runs

MODELS = Models(model="fake", device="cpu", compute_type="int8", engine="auto")
SPOKEN = speech([11, 22, 33, 44, 55]).samples
F32 = replace(CONFIG, encoding="pcm_f32le", partials=True)


@pytest.fixture
def booth() -> Iterator[FakeBooth]:
    made = fake_booth()
    yield made
    made.runtime.close()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where anything that a program writes of itself would be."""
    for variable in ("HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "TMPDIR"):
        monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.delenv("DECALAGE_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def kept() -> JournalContent:
    """The one session that is in a journal."""
    (folder,) = journal_folder().iterdir()
    return read_journal(folder)


def sixteen_bit(samples: Samples) -> Samples:
    return np.rint(samples * 32_768).astype(np.float32) / np.float32(32_768)


def test_a_session_leaves_the_sound_that_came_and_the_events_that_were_told(booth: FakeBooth) -> None:
    clock, journal = ManualClock(100.0), Journal(MODELS)
    session = Hall(booth, Limits(), clock=clock, recording=journal).begin(F32).session
    for start in range(0, len(SPOKEN), 777):
        session.hear(pcm(SPOKEN[start : start + 777]))
    session.end("end")
    read_out(session, clock)
    journal.close()
    content = kept()
    ((first, samples),) = runs(content.chunks())
    assert first == 0
    np.testing.assert_array_equal(samples, sixteen_bit(SPOKEN))
    told = [(each.seq, each.event) for each in session.replay.after(0)]
    assert [event.type for _, event in told] == ["start", *["caption"] * 5, "summary"]
    assert [(seq, as_json(event)) for seq, event in told] == [
        (each.seq, as_json(each.event)) for each in content.events
    ]
    assert content.ending == "closed"
    assert (content.settings.models, content.settings.start) == (MODELS, told[0][1])
    assert content.settings.options == session.stream.options


def test_sound_that_a_client_has_lost_is_a_hole(booth: FakeBooth) -> None:
    clock, journal = ManualClock(100.0), Journal(MODELS)
    hall = Hall(booth, Limits(), clock=clock, recording=journal)
    session = hall.begin(F32).session
    border, after = len(speech([11, 22]).samples), len(speech([11, 22, 33]).samples)
    session.hear(pcm(SPOKEN[:border]))
    clock.advance(5)
    lost = Resume(
        session=session.names.secret,
        last_seq=0,
        audio_sent_s=border / SAMPLE_RATE,
        audio_from_s=after / SAMPLE_RATE,
    )
    hall.begin(replace(F32, resume=lost))
    session.hear(pcm(SPOKEN[after:]))
    session.end("end")
    read_out(session, clock)
    journal.close()
    content = kept()
    (begin, before), (place, rest) = runs(content.chunks())
    assert (begin, place) == (0, after)
    np.testing.assert_array_equal(before, sixteen_bit(SPOKEN[:border]))
    np.testing.assert_array_equal(rest, sixteen_bit(SPOKEN[after:]))
    assert [each.event.type for each in content.events][3] == "gap"


def test_what_was_heard_and_not_answered_is_there_when_the_server_is_stopped(booth: FakeBooth) -> None:
    """Even what the stream has not heard yet, for it came sooner than it could be spoken."""
    clock, journal = ManualClock(100.0), Journal(MODELS)
    session = Hall(booth, Limits(), clock=clock, recording=journal).begin(F32).session
    session.hear(pcm(np.tile(SPOKEN, 20)))
    assert session.sound.waiting_s > 25
    journal.close()
    content = kept()
    ((_, samples),) = runs(content.chunks())
    np.testing.assert_array_equal(samples, sixteen_bit(np.tile(SPOKEN, 20)))
    assert ([each.event.type for each in content.events], content.ending) == (["start"], None)


def speak(service: Service) -> tuple[bool, bool]:
    """Say something over a socket; (what ``ready``, what ``/v1/info`` says of the journal)."""
    with TestClient(service.application(), base_url="http://127.0.0.1") as client:
        told = client.get("/v1/info").json()["journal"]
        with client.websocket_connect("ws://127.0.0.1/v1/stream") as socket:
            socket.send_text(config())
            ready = socket.receive_json()
            socket.send_bytes(pcm(SPOKEN))
            socket.send_text('{"type":"end"}')
            while socket.receive_json()["type"] != "closed":
                continue
        return ready["journal"], told


def test_without_a_journal_nothing_is_written_and_the_client_is_told(booth: FakeBooth, home: Path) -> None:
    assert speak(Service(booth, Door())) == (False, False)
    assert list(home.rglob("*")) == []


def test_with_a_journal_the_client_is_told_too(booth: FakeBooth, home: Path) -> None:
    journal = Journal(MODELS)
    assert speak(Service(booth, Door(), journal=journal)) == (True, True)
    journal.close()
    content = kept()
    assert [each.event.type for each in content.events] == ["start", *["caption"] * 5, "summary"]
    ((_, samples),) = runs(content.chunks())
    assert len(samples) == len(SPOKEN)
    assert content.folder.is_relative_to(home)


def test_a_hall_goes_on_when_its_journal_has_stopped(booth: FakeBooth) -> None:
    clock, writing, told = ManualClock(100.0), ManualClock(), list[str]()
    journal = Journal(MODELS, clock=writing, tell=told.append)
    writing.until_waiting(1)  # it has looked for old journals
    journal.root.rmdir()
    journal.root.touch()  # nothing can be written there any more
    session = Hall(booth, Limits(), clock=clock, recording=journal).begin(F32).session
    session.hear(pcm(SPOKEN))
    session.end("end")
    assert [event.type for event in read_out(session, clock)] == ["caption"] * 5
    journal.close()
    assert len(told) == 1


@pytest.mark.parametrize(("arguments", "variables"), [(["--journal"], {}), ([], {"DECALAGE_JOURNAL": "1"})])
def test_a_server_that_cannot_keep_its_journal_says_so_before_it_loads_models(
    home: Path, arguments: list[str], variables: dict[str, str]
) -> None:
    (home / "file").touch()
    done = subprocess.run(
        [sys.executable, "-m", "decalage", "serve", *arguments, "--model", "tiny.en"],
        env={**os.environ, **variables, "DECALAGE_DATA": str(home / "file")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert "use --no-journal, or set DECALAGE_DATA" in done.stderr


def test_the_text_of_a_journal_that_a_server_deletes_is_kept_before(home: Path) -> None:
    """There are more than all may take."""
    folder = session(journal_folder(), [said(0, en="Hello.")], "20260101T030405Z-00000001")
    (folder / "large").touch()
    os.truncate(folder / "large", 10**10)
    for path in (*folder.iterdir(), folder):
        os.utime(path, (0, 0))
    journal_of(Settings(), 1).close()
    assert list(journal_folder().iterdir()) == []
    with History() as history:
        assert names(history, "hello") == [folder.name]
        assert history.path.is_relative_to(home)


def test_a_session_that_a_stopped_server_did_not_answer_is_resumed(booth: FakeBooth) -> None:
    clock, journal = ManualClock(100.0), Journal(MODELS)
    session = Hall(booth, Limits(), clock=clock, recording=journal).begin(F32).session
    session.hear(pcm(SPOKEN))
    journal.close()
    before = kept()
    assert [each.event.type for each in before.events] == ["start"]
    events = resumed(booth.runtime, before.folder)
    assert [event.type for event in events] == ["start", *["caption"] * 5, "summary"]
    after = kept()
    assert [as_json(each.event) for each in after.events] == [as_json(event) for event in events]
    assert [each.seq for each in after.events] == list(range(1, 8))
    assert after.ending == "closed"


def test_a_session_that_is_broken_off_is_not_said_to_be_answered_and_is_resumed(booth: FakeBooth) -> None:
    clock, journal = ManualClock(100.0), Journal(MODELS)
    session = Hall(booth, Limits(), clock=clock, recording=journal).begin(F32).session
    session.hear(pcm(SPOKEN))
    session.break_off("the server stops")
    for event in session.stream:
        session.told(event)
    session.over()
    journal.close()
    content = kept()
    assert content.ending is None
    assert "failure" not in [numbered.event.type for numbered in content.events]
    events = resumed(booth.runtime, content.folder)
    assert [event.type for event in events] == ["start", *["caption"] * 5, "summary"]
    assert kept().ending == "closed"
