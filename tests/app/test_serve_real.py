"""`decalage serve` as it is installed, with real models, and its clients."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from decalage.app.client.outgoing import pcm16
from scripts.evaluation import decode
from scripts.served import Heard, Server, serving, speak

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "samples" / "ask-not.flac"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Where phrases end there depends on the sound alone, not on how early its text is known."""
    with serving("--offline", "--end-silence", "0.5") as running:
        yield running


@pytest.fixture(scope="module")
def sound() -> bytes:
    return pcm16(decode(SAMPLE))


def told(heard: Heard) -> list[tuple[object, ...]]:
    """The settled events as a person reads them, and where they stand."""
    kinds = ("caption", "failure", "rejected", "gap")
    return [
        (body["type"], body["index"], body["start"], body["end"], body.get("text"))
        for _, body in heard.messages
        if body["type"] in kinds
    ]


async def cut(server: Server, sound: bytes, at_s: float, outage_s: float) -> Heard:
    """Speak, lose the connection in the middle of it, come back and go on."""
    heard, loop = Heard(), asyncio.get_running_loop()
    began = loop.time()
    config: dict[str, object] = {"type": "config", "version": 1, "from": "en", "to": "pt"}
    for until in (int(at_s * 32_000) // 3200 * 3200, len(sound)):
        async with connect(f"{server.url}/v1/stream", compression=None) as socket:
            await socket.send(json.dumps(config))
            ready = json.loads(await socket.recv())
            place = round(ready["audio_received_s"] * 16_000) * 2
            reading = asyncio.create_task(read(socket, heard))
            while place < until:
                await asyncio.sleep(max(0.0, began + (place + 3200) / 32_000 - loop.time()))
                await socket.send(sound[place : place + 3200])
                place += 3200
            if until < len(sound):
                socket.transport.abort()
            else:
                await socket.send('{"type":"end"}')
            await reading
        newest = max(body["seq"] for _, body in heard.messages if "seq" in body)
        config = {"type": "config", "version": 1}
        config["resume"] = {"session": ready["session"], "last_seq": newest, "audio_sent_s": until / 32_000}
        await asyncio.sleep(outage_s)
    return heard


async def read(socket: object, heard: Heard) -> None:
    try:
        async for text in socket:  # type: ignore[attr-defined]
            heard.take(0.0, json.loads(text))
    except Exception as error:
        heard.take(0.0, {"type": "lost", "message": repr(error)})


def test_a_socket_cut_in_the_middle_of_a_sentence_changes_no_caption(server: Server, sound: bytes) -> None:
    async def both() -> tuple[Heard, Heard]:
        uncut = speak(server.url, sound, Heard(), {"from": "en", "to": "pt"})
        return await asyncio.gather(uncut, cut(server, sound, 4.3, 1.5))

    uncut, lost = asyncio.run(both())
    assert len(told(uncut)) >= 2
    assert told(lost) == told(uncut)
    assert lost.of("closed")[-1][1] == {"type": "closed", "flushed": True, "reason": "end"}
    seqs = [body["seq"] for _, body in lost.messages if "seq" in body]
    assert seqs == sorted(set(seqs))


def test_the_client_in_the_documents_works_as_it_stands(server: Server, sound: bytes, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "protocol.md").read_text("utf-8")
    (source,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len([line for line in source.splitlines() if line.strip()]) <= 20
    program, speech = tmp_path / "client.py", tmp_path / "speech.pcm"
    program.write_text(source, "utf-8")
    speech.write_bytes(sound)
    done = subprocess.run(
        [sys.executable, program, server.url, speech], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "país" in done.stdout


def test_speak_and_listen_meet_at_the_server(server: Server) -> None:
    command = [sys.executable, "-m", "decalage"]
    address = server.url.replace("ws:", "http:")
    options = ["--from", "en", "--to", "pt", "--format", "jsonl"]
    with subprocess.Popen(
        [*command, "speak", address, SAMPLE, *options], stdout=-1, stderr=-1, text=True
    ) as speaking:
        assert speaking.stderr is not None
        link = next(found[0] for line in speaking.stderr if (found := re.findall(r"http://\S+", line)))
        done = subprocess.run(
            [*command, "listen", link, "--format", "jsonl"], capture_output=True, text=True, check=False
        )
        out, _ = speaking.communicate()
    assert (speaking.returncode, done.returncode) == (0, 0), done.stderr
    said = [body for body in map(json.loads, out.splitlines()) if body["type"] == "caption"]
    read_along = [body for body in map(json.loads, done.stdout.splitlines()) if body["type"] == "caption"]
    assert said
    assert [each["text"] for each in read_along] == [each["text"] for each in said]
