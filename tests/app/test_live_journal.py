"""``decalage live`` keeps what it hears and answers: however it ends, nothing that was said is lost."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from decalage.audio import SAMPLE_RATE, seconds
from decalage.events import Caption
from decalage.sources.file import FileSource
from decalage.stages.loops import words
from decalage.store.journal_reader import JournalContent, read_journal, sound_end
from tests.app.sound_kit import ASK_NOT, SoundServer, live, next_event, sound_server
from tests.store.journal_kit import only

UNSAVED = ("--input", "speech.monitor", "--format", "jsonl", "--no-partials")
LISTEN = (*UNSAVED, "--no-save")


@pytest.fixture
def server(tmp_path: Path, require: Callable[[bool, str, str], None]) -> Iterator[SoundServer]:
    yield from sound_server(tmp_path, require)


@pytest.fixture
def phrase(tmp_path: Path) -> Path:
    """Four seconds of speech."""
    samples = np.concatenate([chunk.samples for chunk in FileSource(str(ASK_NOT))])[: 4 * SAMPLE_RATE]
    path = tmp_path / "phrase.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes((samples * 32_767).astype("<i2").tobytes())
    return path


def kept(server: SoundServer) -> JournalContent:
    return read_journal(only(server.journals))


def texts(content: JournalContent) -> list[str]:
    return [each.event.text["en"] for each in content.events if isinstance(each.event, Caption)]


@pytest.mark.real
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)], ids=["ctrl-c", "sigterm"]
)
def test_a_session_that_is_ended_is_whole_in_the_journal(
    server: SoundServer, phrase: Path, number: int, code: int
) -> None:
    process = live(server, *LISTEN)
    next_event(process, "start")
    server.play(phrase)
    process.send_signal(number)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    content = kept(server)
    assert content.ending == "closed"
    told = [json.loads(line) for line in out.splitlines()]
    last = [event["text"]["en"] for event in told if event["type"] == "caption"]
    assert texts(content)[-len(last) :] == last
    assert content.events[-1].event.type == "summary"
    heard_s = seconds(sound_end(content.folder))
    assert heard_s == pytest.approx(told[-1]["audio_s"], abs=1e-4)
    (where,) = [line for line in errors.splitlines() if str(content.folder) in line]
    assert "for 7 days, the text in the history until you delete it; --no-journal keeps nothing" in where


@pytest.mark.real
def test_a_session_that_is_killed_is_resumed_to_its_last_word(server: SoundServer, phrase: Path) -> None:
    process = live(server, *LISTEN)
    next_event(process, "start")
    server.play(phrase)
    process.kill()
    process.communicate()
    before = kept(server)
    assert before.ending is None
    done = subprocess.run(
        [sys.executable, "-m", "decalage", "resume", "--offline", "--format", "jsonl"],
        env=server.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    after = kept(server)
    assert after.ending == "closed"
    assert texts(after)[: len(texts(before))] == texts(before)
    assert len(texts(after)) > len(texts(before))
    heard = " ".join(words(" ".join(texts(after))))
    assert "my fellow americans" in heard
    written = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["text"]["en"] for event in written if event["type"] == "caption"] == texts(after)


@pytest.mark.real
def test_without_a_journal_nothing_is_kept_unless_it_is_said(server: SoundServer) -> None:
    server.environment["DECALAGE_JOURNAL"] = "0"
    _, errors = live(server, *UNSAVED, "--duration", "1").communicate(timeout=60)
    assert "kept in" not in errors
    del server.environment["DECALAGE_JOURNAL"]
    _, errors = live(server, *UNSAVED, "--duration", "1", "--no-journal").communicate(timeout=60)
    assert "kept in" not in errors
    assert not server.journals.parent.exists()
    _, errors = live(server, *UNSAVED, "--duration", "1", "--no-journal", "--save").communicate(timeout=60)
    assert "until you delete it there is a transcript in" in errors
    assert [each.name for each in server.journals.parent.iterdir()] == ["transcripts"]


@pytest.mark.real
def test_a_journal_that_cannot_be_made_is_told_and_the_captions_go_on(server: SoundServer) -> None:
    server.environment["DECALAGE_DATA"] = str(ASK_NOT)  # a file
    process = live(server, *LISTEN, "--duration", "2")
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert json.loads(out.splitlines()[-1])["type"] == "summary"
    assert [line for line in errors.splitlines() if "journal" in line] == [
        line for line in errors.splitlines() if "no journal can be kept in" in line
    ]
    assert "no journal can be kept in" in errors
