"""``batch`` and ``serve`` with their work on two nodes of a Ray cluster, real models, one node killed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from decalage.app.client.outgoing import pcm16
from scripts.evaluation import decode
from scripts.ray_nodes import two_nodes
from scripts.served import Heard, serving, speak
from tests.app.batch_kit import standing_files
from tests.app.test_batch import ASK_NOT, FIRST, TALK, finished, first_line, program
from tests.runtimes.kit import need_ray

pytestmark = [pytest.mark.ray, pytest.mark.real]


@pytest.fixture
def nodes() -> Iterator[tuple[str, Callable[[], None]]]:
    """A cluster's address, and what kills the second of its nodes."""
    need_ray()
    with two_nodes() as cluster:
        yield cluster


def texts(folder: Path) -> dict[str, bytes]:
    return {name: content for name, content in standing_files(folder).items() if not name.endswith(".jsonl")}


def test_a_batch_on_two_nodes_of_which_one_dies_has_the_texts_of_one_process(
    nodes: tuple[str, Callable[[], None]], tmp_path: Path
) -> None:
    address, kill = nodes
    (tmp_path / "in").mkdir()
    for number in range(6):
        sound = TALK.read_bytes() + bytes([number])  # behind the last frame: another content, the same sound
        (tmp_path / "in" / f"{number}.flac").write_bytes(sound)
    alone = finished(tmp_path / "in", "-o", tmp_path / "alone", *FIRST)
    assert alone.returncode == 0, alone.stderr
    ray = ("--runtime", "ray", "--address", address, "--workers", "1", "-v")
    with program(tmp_path / "in", "-o", tmp_path / "nodes", *ray, "--streams", "3", *FIRST) as process:
        first_line(process)
        kill()
        _, error = process.communicate(timeout=100)
    assert process.returncode == 0, error
    assert "retry: " in error
    assert len(texts(tmp_path / "alone")) == 12
    assert texts(tmp_path / "nodes") == texts(tmp_path / "alone")
    start = json.loads((tmp_path / "nodes" / "0.jsonl").read_text("utf-8").splitlines()[0])
    assert (start["runtime"], start["workers"]) == ("ray", 2)


def test_a_server_on_two_nodes_of_which_one_dies_loses_no_sentence(
    nodes: tuple[str, Callable[[], None]],
) -> None:
    address, kill = nodes
    sound, config = pcm16(decode(ASK_NOT)), {"from": "en", "to": "pt"}

    async def all_of(url: str) -> list[Heard]:
        heard = [Heard() for _ in range(4)]  # more than one node does at a time
        speaking = [asyncio.create_task(speak(url, sound, each, config)) for each in heard]
        for each in heard:
            await each.captioned.wait()
        await asyncio.to_thread(kill)
        return list(await asyncio.gather(*speaking))

    ray = ("--runtime", "ray", "--address", address, "--workers", "1")
    with serving("--offline", *ray) as running:
        for heard in asyncio.run(all_of(running.url)):
            assert heard.settled == list(range(len(heard.settled)))
            assert not heard.of("failure")
            said = " ".join(body["text"]["en"] for _, body in heard.of("caption"))
            assert "ask what you can do for your country" in said.lower()
            assert heard.of("closed")[-1][1]["flushed"] is True
    assert any("worker replaced" in line for line in running.told)
