"""``decalage speak`` and ``listen``: captions here, the link for others, and the right exit code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from decalage.app.client.outgoing import pcm16
from decalage.events import Event
from tests.app.stand_in_server import LISTEN_ID, RATE, SECRET, StandIn, serving
from tests.app.test_cli import refused, run
from tests.sinks.events import START, SUMMARY, caption, failure

TALK = str(Path(__file__).parents[2] / "samples" / "talk.flac")
NOISE = pcm16((np.arange(2 * RATE) % 999 / 32_768).astype(np.float32))


class Spoken:
    """The program while raw sound is piped into it."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "decalage", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )

    def say(self, sound: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(sound)
        self.process.stdin.flush()

    def next_event(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        event: dict[str, Any] = json.loads(self.process.stdout.readline())
        return event

    def over(self) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        out, errors = self.process.communicate(timeout=60)
        return self.process.returncode, out.decode(), errors.decode()


@contextmanager
def speaking(server: StandIn, *options: str) -> Iterator[Spoken]:
    spoken = Spoken("speak", server.url, "-", *options)
    try:
        yield spoken
    finally:
        if spoken.process.poll() is None:
            spoken.process.kill()
        spoken.process.communicate()


def kinds(out: str) -> list[str]:
    return [json.loads(line)["type"] for line in out.splitlines()]


def test_a_file_is_spoken_and_its_captions_and_the_link_for_others_are_told() -> None:
    with serving() as server:
        done = run("speak", server.url, TALK, "--to", "pt", "--duration", "1.2")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "00:00  Sentence 0.",
        "       Frase 0.",
        "00:04  Sentence 1.",
        "       Frase 1.",
    ]
    assert f"decalage: read along: {server.url}/?listen={LISTEN_ID}&to=pt\n" in done.stderr
    assert f"speech    {SUMMARY.audio_s} s" in done.stderr
    assert server.count == 1.2 * RATE
    assert server.messages[0]["to"] == ["pt"]
    assert not {"from", "prompt"} & set(server.messages[0])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_an_output_on_a_full_disk_ends_no_other(tmp_path: Path) -> None:
    (tmp_path / "full.txt").symlink_to("/dev/full")
    outputs = ("-o", str(tmp_path / "full.txt"), "-o", "-", "--format", "txt")
    with serving() as server:
        done = run("speak", server.url, TALK, "--to", "pt", "--duration", "1.2", *outputs)
    assert done.returncode == 1
    assert "en: Sentence 1." in done.stdout
    assert done.stderr.count("full.txt: the disk is full; it ends there, the other outputs go on") == 1


def test_what_is_piped_in_arrives_as_it_is_over_cut_connections(tmp_path: Path) -> None:
    path = tmp_path / "talk.pt.srt"
    with (
        serving(StandIn(cuts=[100, 20_000])) as server,
        speaking(server, "-o", str(path), "-o", "-") as spoken,
    ):
        spoken.say(NOISE)
        code, out, errors = spoken.over()
    assert code == 0, errors
    assert bytes(server.received) == NOISE
    assert errors.count("; trying again") == errors.count("decalage: connected again") == 2
    assert out.count("Frase") == path.read_text("utf-8").count("Frase") == len(server.captions) == 4


def test_the_token_is_taken_from_the_environment() -> None:
    with serving() as server:
        done = run("speak", server.url, TALK, "--duration", "0.1", DECALAGE_TOKEN="of the door")  # noqa: S106
        assert done.returncode == 0, done.stderr
    assert server.requests[0].headers["Authorization"] == "Bearer of the door"


def test_telling_everything_tells_no_secret_and_no_words() -> None:
    with serving() as server:
        options = ("--to", "pt", "--duration", "1.2", "-vv", "--prompt", "Zebediah")
        done = run("speak", server.url, TALK, *options, DECALAGE_TOKEN="correct-horse")  # noqa: S106
    assert done.returncode == 0, done.stderr
    assert server.requests[0].headers["Authorization"] == "Bearer correct-horse"
    assert "DEBUG" in done.stderr
    for secret in ("correct-horse", SECRET, "Zebediah", "Frase"):
        assert secret not in done.stderr


def test_ctrl_c_ends_after_the_last_captions() -> None:
    with serving() as server, speaking(server, "--format", "jsonl") as spoken:
        spoken.say(NOISE[:3200])
        assert server.heard.wait(60)
        spoken.process.send_signal(signal.SIGINT)
        assert server.ended.wait(60)
        code, out, errors = spoken.over()
    assert code == 130, errors
    assert kinds(out) == ["start", "summary"]
    assert bytes(server.received) == NOISE[:3200]
    assert server.messages[-1] == {"type": "end"}
    assert "speech" in errors


def test_a_second_ctrl_c_does_not_wait_for_captions() -> None:
    with serving(StandIn(deaf=True)) as server, speaking(server, "--format", "jsonl") as spoken:
        spoken.say(NOISE[:3200])
        assert server.heard.wait(60)
        spoken.process.send_signal(signal.SIGINT)
        assert server.ended.wait(60)
        spoken.process.send_signal(signal.SIGINT)
        code, out, errors = spoken.over()
    assert code == 130, errors
    assert kinds(out) == ["start"]
    assert errors.splitlines()[1:] == ["decalage: the last captions were not waited for"]


def test_sigterm_ends_as_the_end_of_the_sound_does() -> None:
    with serving() as server, speaking(server, "--format", "jsonl") as spoken:
        spoken.say(NOISE[:3200])
        assert server.heard.wait(60)
        spoken.process.send_signal(signal.SIGTERM)
        assert server.ended.wait(60)
        code, out, errors = spoken.over()
    assert code == 0, errors
    assert kinds(out) == ["start", "summary"]


def test_speech_that_failed_and_a_session_that_the_server_ended_are_told_and_exit_1() -> None:
    with serving(StandIn(settled=failure)) as server:
        done = run("speak", server.url, TALK, "--duration", "0.6", "--format", "jsonl")
    assert done.returncode == 1
    assert kinds(done.stdout) == ["start", "failure", "summary"]
    assert "0.0-3.0 s failed (asr: out of memory)" in done.stderr
    with serving(StandIn(reason="too-long")) as server:
        done = run("speak", server.url, TALK)
    assert done.returncode == 1
    assert "decalage: the server ended the session: too-long" in done.stderr


def test_half_a_sample_at_the_end_is_told() -> None:
    with serving() as server, speaking(server) as spoken:
        spoken.say(NOISE[:3201])
        code, _, errors = spoken.over()
    assert code == 1
    assert bytes(server.received) == NOISE[:3200]
    assert "in the middle of a sample" in errors


def test_a_server_that_does_not_come_back_is_given_up_with_the_captions_kept() -> None:
    limits = {"grace_s": 0.3, "ahead_s": 60, "frame_bytes": 64_000}
    with serving(StandIn(cuts=[17_000], busy=99, limits=limits)) as server:
        done = run("speak", server.url, TALK, "--format", "jsonl")
    assert done.returncode == 1
    assert kinds(done.stdout)[:2] == ["start", "caption"]
    assert done.stderr.splitlines()[-1].startswith(
        "decalage: the connection was lost and not to be had again"
    )
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (("not-allowed", ""), "does not let this client in; give its token with --token or DECALAGE_TOKEN"),
        (("busy", ""), "the server is full or about to stop; try again later"),
        (
            ("unsupported-language", "this server does not translate en to xx; it has en to pt"),
            "it has en to pt",
        ),
    ],
)
@pytest.mark.parametrize("command", ["speak", "listen"])
def test_a_refusal_is_one_line_and_leaves_no_file(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    fault: tuple[str, str],
    words: str,
    command: str,
) -> None:
    path = tmp_path / "kept.jsonl"
    path.write_text("kept\n")
    asked = TALK if command == "speak" else LISTEN_ID
    with serving(StandIn(fault=fault)) as server:
        code, line = refused(capsys, command, server.url, asked, "-o", str(path))
    assert code == 2
    assert words in line
    assert path.read_text() == "kept\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["speak"], "URL"),
        (["speak", "ftp://host", TALK], "is not the address of a server"),
        (["speak", TALK], "is a file: give the server's address before it"),
        (["speak", "http://127.0.0.1:1", TALK], "http://127.0.0.1:1 cannot be reached: connection refused"),
        (["speak", "http://127.0.0.1:1", "nothing.wav"], "does not exist"),
        (["speak", "http://127.0.0.1:1", TALK, "--input", "USB"], "give one"),
        (["speak", "http://127.0.0.1:1", TALK, "-o", "captions.pdf"], "can be written"),
        (["listen", "http://127.0.0.1:1"], "no session to listen to"),
        (["listen", "http://127.0.0.1:1/?listen=Zt8"], "cannot be reached"),
        (["listen", "http://127.0.0.1:1", "Zt8", "-o", "talk.mkv"], "needs a file as input"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_exit_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    code, line = refused(capsys, *arguments)
    assert code == 2
    assert words in line


def test_subtitles_named_for_a_language_that_the_session_has_not_are_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with serving(StandIn()) as server:
        code, line = refused(capsys, "speak", server.url, TALK, "-o", str(tmp_path / "talk.es.srt"))
    assert code == 2
    assert "talk.es.srt: es is not among the captions (en, pt): add --to pt,es" in line
    assert list(tmp_path.iterdir()) == []


def test_a_client_without_its_library_names_the_command_that_installs_it(tmp_path: Path) -> None:
    (tmp_path / "websockets.py").write_text("raise ImportError\n")
    done = run("listen", "http://127.0.0.1:1", "Zt8", PYTHONPATH=str(tmp_path))
    assert done.returncode == 3
    assert done.stderr == "decalage: the client needs: pip install '.[server]' in the clone\n"


TOLD: list[tuple[int, Event]] = [(seq, caption(seq - 1, pt=f"Frase {seq}.")) for seq in range(1, 4)]


def test_who_listens_sees_the_captions_once_over_a_cut_connection(tmp_path: Path) -> None:
    path = tmp_path / "talk.vtt"
    with serving(StandIn(told=TOLD, cuts=[2])) as server:
        link = f"{server.url}/?listen={LISTEN_ID}&to=pt"
        done = run("listen", link, "--show", "target", "-o", str(path), "-o", "-")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["00:00  Frase 1.", "00:04  Frase 2.", "00:08  Frase 3."]
    assert path.read_text("utf-8").count("Frase") == 3
    assert server.requests[0].path.endswith(f"/v1/sessions/{LISTEN_ID}/captions?to=pt")
    assert "trying again" in done.stderr


def test_ctrl_c_ends_listening() -> None:
    with serving(StandIn(told=[(1, START), *TOLD], deaf=True)) as server:
        spoken = Spoken("listen", server.url, LISTEN_ID, "--format", "jsonl", "--no-partials")
        assert spoken.next_event()["type"] == "start"
        spoken.process.send_signal(signal.SIGINT)
        code, _, errors = spoken.over()
    assert code == 130
    assert "Traceback" not in errors
    assert server.requests[0].path.endswith("?partials=false")
