"""The command line: one line and the right exit code for what cannot be done, captions for the rest."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import wave
from collections.abc import Iterable
from pathlib import Path

import click
import numpy as np
import pytest

from decalage.app.cli import main
from decalage.app.commands.translate import translate
from decalage.app.outputs import check_languages, open_sinks
from tests.sinks.events import caption

SAMPLES = Path(__file__).parents[2] / "samples"
ASK_NOT = str(SAMPLES / "ask-not.flac")
TALK = str(SAMPLES / "talk.flac")


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The program in a process of its own, captured."""
    return subprocess.run(
        [sys.executable, "-m", "decalage", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=110,
        check=False,
    )


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Exit code and the one line of a refusal, which writes nothing to standard output."""
    with pytest.raises(SystemExit) as stop:
        main(list(arguments))
    told = capsys.readouterr()
    assert told.out == ""
    lines = told.err.splitlines()
    assert len(lines) == 1, told.err
    assert isinstance(stop.value.code, int)
    return stop.value.code, lines[0]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["translate", "nothing.wav"], 2, "does not exist"),
        (["translate", str(SAMPLES)], 2, "is a folder"),
        (["translate", str(SAMPLES / "README.md")], 2, "cannot be opened as sound"),
        (["translate", ASK_NOT, "--to", "xx"], 2, "supported: en→pt, pt→en"),
        (["translate", ASK_NOT, "--to", "english"], 2, "is not a language code"),
        (["translate", ASK_NOT, "--from", "automatic"], 2, "is not a language code"),
        (["bench", ASK_NOT, "--from", "auto"], 2, "name the language, for example --from en"),
        (
            ["evaluate", str(SAMPLES / "manifest.jsonl"), "--from", "auto"],
            2,
            "name the language, for example --from en",
        ),
        (["translate", ASK_NOT, "--from", "pt", "--to", "en", "--model", "tiny.en"], 2, "hears en"),
        (["translate", ASK_NOT, "--model", "huge"], 2, "no model 'huge'"),
        (["translate", ASK_NOT, "--model", "small", "--offline"], 3, "decalage models add small"),
        (["translate", ASK_NOT, "-o", "/nowhere/x.txt"], 2, "the folder does not exist"),
        (
            ["translate", ASK_NOT, "-o", "captions.pdf"],
            2,
            ".jsonl, .txt, .srt, .vtt, .ass, .mkv can be written",
        ),
        (["translate", "-", "-o", "talk.mkv"], 2, "needs a file as input"),
        (["translate", ASK_NOT, "--overload", "drop-oldest"], 2, "drop-oldest goes with --pace realtime"),
        (["translate", ASK_NOT, "--max-lag", "5"], 2, "--max-lag goes with --pace realtime"),
        (
            ["translate", ASK_NOT, "--max-lag", "5", "--pace", "realtime"],
            2,
            "--max-lag goes with --overload drop-oldest",
        ),
        (["translate", ASK_NOT, "--runtime", "magic"], 2, "'asyncio', 'pipeline', 'pool'"),
        (["translate", ASK_NOT, "--encoder-window", "45"], 2, "between 1 and 30"),
        (["translate", ASK_NOT, "--bogus"], 2, "--bogus"),
        (["translate"], 2, "INPUT"),
        (["dance"], 2, "dance"),
        ([ASK_NOT], 2, f"decalage translate {ASK_NOT}"),
        (["translate", ASK_NOT, "-o", f"{SAMPLES}/"], 2, "it is a folder"),
        (["models", "add", "firefox:foo"], 2, "firefox:en-es"),
        (["models", "path", "huge"], 2, "no model"),
    ],
)
def test_what_cannot_be_done_is_one_line_with_its_code(
    capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, words: str
) -> None:
    got, line = refused(capsys, *arguments)
    assert got == code
    assert words in line
    assert line.startswith("decalage: ")


def test_a_refusal_leaves_no_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text("kept\n")
    assert refused(capsys, "translate", ASK_NOT, "--to", "xx", "-o", str(path))[0] == 2
    assert refused(capsys, "translate", "nothing.wav", "-o", str(path))[0] == 2
    assert path.read_text() == "kept\n"


@pytest.mark.parametrize("pace", ["max", "realtime"])
def test_overload_in_the_environment_and_in_a_file_refuses_no_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, pace: str
) -> None:
    monkeypatch.setenv("DECALAGE_MAX_LAG", "5")
    config = tmp_path / "config.toml"
    config.write_text('overload = "degrade"\n')
    given = ["translate", "nothing.wav", "--config", str(config), "--pace", pace]
    assert "does not exist" in refused(capsys, *given)[1]
    live = ["live", "--input", "nobody", "--no-journal", "--config", str(config)]
    assert "max-lag" not in refused(capsys, *live)[1]


def test_what_is_no_device_is_not_installed_for_devices_and_live_alike(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("decalage.app.commands.live.devices", list)
    code, line = refused(capsys, "devices")
    assert (code, "no device to listen to" in line) == (3, True)


@pytest.mark.parametrize("name", ["mine.es.srt", "mine.es.mkv", "mine.spa.vtt"])
def test_subtitles_named_for_a_language_that_no_caption_has_are_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str
) -> None:
    path, before = tmp_path / name, tmp_path / "before.srt"
    path.write_text("kept\n")
    code, line = refused(capsys, "translate", ASK_NOT, "-o", str(before), "-o", str(path))
    assert code == 2
    assert line == f"decalage: {path}: es is not among the captions (en, pt): add --to pt,es"
    assert path.read_text() == "kept\n"
    assert not before.exists()


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("a.pt-BR.srt", "en"),
        ("a.en.srt", "en-US"),
        ("a.new.srt", "en"),
        ("a.es.txt", "en"),
        ("a.es.srt", "auto"),
        ("a.srt", "en"),
        ("-", "en"),
    ],
)
def test_names_of_any_other_kind_are_taken(path: str, source: str) -> None:
    check_languages([path], source, ["pt"])


def test_a_name_that_only_looks_like_a_language_is_none(tmp_path: Path) -> None:
    path = tmp_path / "talk.new.srt"
    (sink,) = open_sinks("text", [str(path)], show=None, live=False)
    sink.write(caption(0, 1.4, en="Hi there.", pt="Oi."))
    sink.close()
    assert "Oi." in path.read_text("utf-8")


@pytest.mark.real
@pytest.mark.parametrize(
    "options",
    [
        ["--end-silence", "4", "--max-utterance", "5"],
        ["--compute-type", "nonsense"],
        ["-o", "/nowhere/x.txt"],
    ],
)
def test_a_late_refusal_leaves_the_files_as_they_were(tmp_path: Path, options: list[str]) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text("kept\n")
    done = run("translate", ASK_NOT, "--offline", "-o", str(path), *options)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert path.read_text() == "kept\n"


def test_an_empty_standard_input_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "decalage", "translate", "-", "--offline"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "decalage: no sound on standard input; pipe PCM16 mono 16 kHz into it"
    ]


def test_precedence_is_command_line_then_environment_then_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config.toml"
    config.write_text('to = "aa"\n')
    given = ["translate", ASK_NOT, "--config", str(config)]
    assert "en→aa" in refused(capsys, *given)[1]
    monkeypatch.setenv("DECALAGE_TO", "bb")
    assert "en→bb" in refused(capsys, *given)[1]
    assert "en→cc" in refused(capsys, *given, "--to", "cc")[1]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('zzz = "pt"', "unknown key 'zzz'; known are"),
        ("end_silence = 0.5", "did you mean 'end-silence'?"),
        ("to =", "is not TOML"),
        ("beam = 99", "99 is not in the range"),
        ("terms = 5", "5 is not the name of a file"),
    ],
)
def test_a_config_file_with_a_mistake_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, content: str, words: str
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(content)
    code, line = refused(capsys, "translate", ASK_NOT, "--config", str(config))
    assert code == 2
    assert words in line


@pytest.mark.parametrize("arguments", [[], ["models"]], ids=["none", "models"])
def test_without_a_command_the_help_stands_in_its_own_lines(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    told = capsys.readouterr()
    assert (stop.value.code, told.out) == (2, "")
    assert told.err.startswith("Usage: decalage")
    assert len(told.err.splitlines()) > 5


def test_more_threads_than_cores_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["translate", "nothing.wav", "--workers", "64", "--offline"])
    assert "64 recognizers of 1 threads on" in capsys.readouterr().err


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    told = capsys.readouterr().out
    for word in ("translate", "models", "doctor", "Exit codes"):
        assert word in told


@pytest.mark.real
def test_a_file_becomes_events_as_published() -> None:
    done = run("translate", ASK_NOT, "--format", "jsonl", "--offline")
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events[0]["type"] == "start"
    assert events[0]["version"] == 1
    captions = [event for event in events if event["type"] == "caption"]
    assert [event["index"] for event in captions] == list(range(len(captions)))
    heard = " ".join(event["text"]["en"] for event in captions).lower()
    assert "ask not" in heard
    assert "fellow americans" in heard
    assert "país" in " ".join(event["text"]["pt"] for event in captions).lower()
    assert captions[0]["latency"] is None
    summary = events[-1]
    assert summary["type"] == "summary"
    assert summary["captions"] == len(captions)
    assert summary["audio_s"] == 11.0
    assert summary["lag"] is None
    assert summary["rtf"] > 0


@pytest.mark.real
def test_both_runtimes_say_the_same() -> None:
    texts = []
    for runtime in ("sequential", "pipeline"):
        phrases = ("--duration", "30", "--end-silence", "0.5")
        done = run("translate", TALK, "--runtime", runtime, "--format", "jsonl", "--offline", *phrases)
        captions = [json.loads(line) for line in done.stdout.splitlines()]
        texts.append([(c["start"], c["end"], c["text"]) for c in captions if c["type"] == "caption"])
    assert texts[0] == texts[1]
    assert len(texts[0]) > 5


@pytest.mark.real
def test_raw_sound_on_standard_input_is_captioned() -> None:
    from decalage.sources.file import FileSource  # noqa: PLC0415

    samples = np.concatenate([chunk.samples for chunk in FileSource(ASK_NOT)])
    raw = (samples * 32_767).astype("<i2").tobytes()
    done = subprocess.run(
        [sys.executable, "-m", "decalage", "translate", "-", "--format", "txt", "--show", "source"],
        input=raw,
        capture_output=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "ask not" in done.stdout.decode().lower()


@pytest.mark.real
def test_truncated_sound_is_captioned_as_far_as_it_goes_then_told(tmp_path: Path) -> None:
    from decalage.sources.file import FileSource  # noqa: PLC0415

    samples = np.concatenate([chunk.samples for chunk in FileSource(ASK_NOT)])
    path = tmp_path / "whole.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes((samples * 32_767).astype("<i2").tobytes())
    path.write_bytes(path.read_bytes()[:100_000])
    done = run("translate", str(path), "--format", "jsonl", "--offline")
    assert done.returncode == 1
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert "americans" in events[1]["text"]["en"].lower()
    assert "ends early" in events[-1]["damaged"]


@pytest.mark.real
def test_full_disk_is_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "decalage", "translate", ASK_NOT, "--offline"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=110,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr.splitlines() == ["decalage: cannot write standard output: the disk is full"]


def _live(*arguments: str) -> subprocess.Popen[str]:
    live = ("--pace", "realtime", "--offline", "--format", "jsonl")
    return subprocess.Popen(
        [sys.executable, "-m", "decalage", "translate", TALK, *live, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _lines_into_the_second_phrase(output: Iterable[str]) -> list[str]:
    """Up to the first partial of a later utterance: the speaker is in it."""
    lines = []
    for line in output:
        lines.append(line)
        event = json.loads(line)
        if event["type"] == "partial" and event["index"] > 0:
            break
    return lines


@pytest.mark.real
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)], ids=["ctrl-c", "sigterm"]
)
def test_a_stop_in_the_middle_of_speech_captions_the_last_word(number: int, code: int) -> None:
    process = _live()
    assert process.stdout is not None
    lines = _lines_into_the_second_phrase(process.stdout)
    process.send_signal(number)
    rest, errors = process.communicate(timeout=60)
    events = [json.loads(line) for line in [*lines, *rest.splitlines()]]
    assert process.returncode == code, errors
    captions = [event for event in events if event["type"] == "caption"]
    assert len(captions) == json.loads(lines[-1])["index"] + 1, events
    assert events[-1]["type"] == "summary"
    stopped = events[-1]["audio_s"]
    assert captions[-1]["end"] == pytest.approx(stopped, abs=0.01), "the open utterance was flushed"


@pytest.mark.real
def test_duration_flushes_and_ends_with_success() -> None:
    process = _live("--duration", "9.0")
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    events = [json.loads(line) for line in out.splitlines()]
    assert events[-1]["audio_s"] == pytest.approx(9.0)
    assert events[-1]["lag"]["p50"] > 0
    assert events[-2]["end"] == pytest.approx(9.0)


def test_every_option_has_a_variable_that_a_shell_can_set() -> None:
    from_environment = [option for option in translate.params if isinstance(option, click.Option)]
    told = {option.name: option.envvar for option in from_environment if option.envvar}
    assert told["partials"] == "DECALAGE_PARTIALS"
    assert told["speak"] == "DECALAGE_SPEAK"
    assert all(re.fullmatch(r"DECALAGE_[A-Z_]+", str(variable)) for variable in told.values())


@pytest.mark.real
@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        ("workers = 1", 0, "config.toml"),
        ("beem = 1", 3, "did you mean 'beam'?"),
        ("beam =", 3, "is not TOML"),
        ('to = "xx"', 3, "no model translates en→xx"),
    ],
)
def test_doctor_looks_into_the_settings_file(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    content: str,
    code: int,
    words: str,
) -> None:
    (tmp_path / "config.toml").write_text(content)
    monkeypatch.setattr("decalage.app.options.default_config", lambda: tmp_path / "config.toml")
    monkeypatch.setattr("decalage.app.commands.doctor.default_config", lambda: tmp_path / "config.toml")
    with pytest.raises(SystemExit) as stop:
        main(["doctor"])
    (line,) = [line for line in capsys.readouterr().out.splitlines() if " settings " in line]
    assert (stop.value.code or 0) == code
    assert line.startswith("ok" if code == 0 else "missing")
    assert words in line


def doctors_lines(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """What the doctor tells of each part; it ends with 3 where one is missing, with 0 where one is absent."""
    with pytest.raises(SystemExit) as stop:
        main(["doctor"])
    lines = capsys.readouterr().out.splitlines()
    assert (stop.value.code or 0) == (3 if any(line.startswith("missing") for line in lines) else 0)
    return {re.split(r"  +", line[8:])[0]: line for line in lines}


def test_doctor_tells_of_what_only_some_commands_want_and_makes_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    monkeypatch.setenv("DECALAGE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    found = doctors_lines(capsys)
    for name in ("microphone", "loudspeaker"):
        assert found[name].startswith("absent")
    assert "python -m pip install sounddevice" in found["microphone"]
    assert found["voice pt"].startswith("absent") == ("piper-tts" in found["voice pt"])
    assert f"{tmp_path / 'data' / 'journal'} (none there)" in found["journals"]
    assert f"{tmp_path / 'data' / 'history.sqlite'} (none there)" in found["history"]
    assert found["ray"].startswith("ok") or "pip install '.[ray]' in the clone" in found["ray"]
    assert not (tmp_path / "data").exists()


def test_doctor_tells_what_mends_a_damaged_history(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DECALAGE_DATA", str(tmp_path))
    (tmp_path / "history.sqlite").write_bytes(b"no database at all " * 100)
    told = doctors_lines(capsys)["history"]
    assert told.startswith("absent")
    assert "decalage history rebuild" in told
