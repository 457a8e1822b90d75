"""Listening to a real capture device: the monitor of a PulseAudio sink that recordings are played into."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from decalage.app.commands.live import status_line
from decalage.errors import UsageError
from decalage.sources.microphone import MicrophoneSource
from decalage.sources.portaudio import devices, find_device
from decalage.stages.loops import words
from decalage.testing import ManualClock
from tests.app.sound_kit import ASK_NOT, SoundServer, live, next_event, sound_server
from tests.app.test_cli import refused
from tests.sources.test_microphone import FakeDevice, said


@pytest.fixture
def server(tmp_path: Path, require: Callable[[bool, str, str], None]) -> Iterator[SoundServer]:
    yield from sound_server(tmp_path, require)


JSONL = ("--format", "jsonl", "--no-save", "--no-partials")


@pytest.mark.real
def test_what_is_played_is_captioned_from_its_monitor(server: SoundServer) -> None:
    process = live(server, *JSONL, "--input", "speech.monitor", "--duration", "15")
    assert next_event(process, "start")["input"] == "speech.monitor"
    server.play(ASK_NOT)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    events = [json.loads(line) for line in out.splitlines()]
    captions = [event for event in events if event["type"] == "caption"]
    heard = " ".join(words(" ".join(event["text"]["en"] for event in captions)))
    assert "ask not what your country can do for you ask what you can do for your country" in heard
    # A machine so busy that the first sound is taken late counts from then: a lag may come out below zero.
    assert all(event["text"]["pt"] and -1 < event["lag"] < 30 for event in captions)
    assert not [event for event in events if event["type"] in ("failure", "gap")]


@pytest.mark.real
def test_a_device_removed_and_put_back_is_a_declared_gap_and_captions_go_on(server: SoundServer) -> None:
    process = live(server, *JSONL, "--input", "speech.monitor")
    next_event(process, "start")
    server.play(ASK_NOT)
    first = next_event(process, "caption")
    server.unplug()
    threading.Event().wait(3)  # of real time: the device is real
    server.plug()
    threading.Event().wait(2)
    server.play(ASK_NOT)
    gap = next_event(process, "gap")
    after = next_event(process, "caption")
    process.terminate()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert (gap["cause"], gap["captured"]) == ("device", False)
    assert gap["end"] - gap["start"] > 2
    assert first["end"] <= gap["start"]
    assert after["start"] >= gap["end"]


@pytest.mark.real
def test_the_transcript_is_kept_where_it_says_unless_told_otherwise(server: SoundServer) -> None:
    process = live(server, "--input", "speech.monitor", "--duration", "1")
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    (told,) = [line for line in errors.splitlines() if "transcript in " in line]
    path = Path(told.partition("transcript in ")[2])
    kept = [json.loads(line)["type"] for line in path.read_text("utf-8").splitlines()]
    assert kept[0] == "start"
    assert kept[-1] == "summary"
    assert [each.stat().st_mode & 0o777 for each in (path.parent, path)] == [0o700, 0o600]
    assert out == ""
    process = live(server, "--input", "speech.monitor", "--duration", "1", "--no-save")
    _, errors = process.communicate(timeout=60)
    assert "transcript in" not in errors
    assert list(path.parent.iterdir()) == [path]


def test_monitors_are_listed_and_found_by_a_part_of_their_name(
    server: SoundServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    listed = {device.name: device for device in devices()}
    assert listed["speech.monitor"].monitor
    assert find_device("speech.mon").name == "speech.monitor"
    with pytest.raises(UsageError, match=r"no such device: .*speech\.monitor"):
        find_device("gramophone")


def test_a_device_nobody_knows_is_refused_with_those_there_are(
    server: SoundServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    code, line = refused(capsys, "live", "--input", "gramophone", "--no-save")
    assert code == 2
    assert "speech.monitor" in line


def test_the_line_below_tells_what_the_device_does() -> None:
    clock = ManualClock()
    device = FakeDevice()
    source = MicrophoneSource(device, clock=clock)
    said(device, clock, 0.0)
    chunks = iter(source)
    next(chunks)
    assert status_line(source, keys=True) == "no sound from desk: is it muted?"
    said(device, clock, 0.1)
    next(chunks)
    assert status_line(source, keys=True) == "listening ▮▮▮▮▮▮▮▮▮▯▯▯ · space pauses"
    assert "space" not in status_line(source, keys=False)
    source.overflows = 2
    assert "sound lost 2×" in status_line(source, keys=False)
    source.pause()
    assert status_line(source, keys=True) == "paused · space goes on"
    source.stop()


def translate(server: SoundServer, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "decalage", "translate", str(ASK_NOT), "--offline", *arguments],
        env=server.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def voice(require: Callable[[bool, str, str], None]) -> None:
    require(shutil.which("espeak-ng") is not None, "espeak-ng", "apt-get install espeak-ng")


@pytest.mark.real
@pytest.mark.usefixtures("voice")
def test_translations_are_heard_and_how_late_they_are_is_told(server: SoundServer, tmp_path: Path) -> None:
    with (tmp_path / "heard").open("wb") as heard:
        recorder = subprocess.Popen(
            ["parec", "--device=speech.monitor", "--format=s16le", "--rate=16000", "--channels=1"],
            env=server.environment,
            stdout=heard,
        )
        process = translate(server, "--pace", "realtime", "--speak", "--format", "jsonl", "--no-partials")
        out, errors = process.communicate(timeout=90)
        recorder.terminate()
        recorder.wait(30)
    played = np.frombuffer((tmp_path / "heard").read_bytes(), np.int16)
    assert process.returncode == 0, errors
    *captions, summary = (json.loads(line) for line in out.splitlines())
    assert 0 < summary["voice_lag"]["p50"] < 10
    assert summary["voice_lag"]["p50"] > summary["lag"]["p50"]
    assert sum(event["type"] == "caption" for event in captions) >= 3
    loud = np.abs(played.astype(np.int32)) > 500
    assert loud.sum() > 16_000
    assert "voice" in errors


@pytest.mark.real
@pytest.mark.usefixtures("voice")
def test_ctrl_c_ends_what_is_read_aloud(server: SoundServer) -> None:
    process = translate(server, "--speak", "--format", "jsonl")
    next_event(process, "caption")
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=20)
    assert process.returncode == 130, errors
    assert json.loads(out.splitlines()[-1])["type"] == "summary"


@pytest.mark.real
@pytest.mark.usefixtures("voice")
def test_a_voice_that_cannot_be_heard_is_refused_before_anything_loads(server: SoundServer) -> None:
    server.environment["PULSE_SERVER"] = "/nowhere"
    out, errors = translate(server, "--speak").communicate(timeout=60)
    assert out == ""
    assert "no device to play sound" in errors
    _, errors = translate(server, "--speak", "--voice", "nobody").communicate(timeout=60)
    assert "no voice 'nobody' here" in errors
