"""Sound from the network: a live stream is heard on with a hole, a file goes on where it broke off."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from decalage.audio import SAMPLE_RATE, AudioChunk
from decalage.clock import Waitable
from decalage.errors import DamagedInputError, InputError
from decalage.sources.file import FileSource
from decalage.sources.url import UrlSource

LOST = DamagedInputError("the connection was reset")


class Leaping:
    """A clock on which nobody waits."""

    def __init__(self) -> None:
        self._now = 0.0

    def now(self) -> float:
        return self._now

    def wait(self, condition: Waitable, until: float | None) -> None:  # noqa: ARG002
        assert until is not None
        self._now = max(self._now, until)

    def advance(self, seconds: float) -> None:
        self._now += seconds


class Connection:
    """A tenth of a second of each number, then ``end``; time goes by as it is heard."""

    name = "http://radio"

    def __init__(
        self, clock: Leaping, words: list[float], end: Exception | None, duration_s: float | None = None
    ) -> None:
        self.duration_s = duration_s
        self._clock = clock
        self._words = words
        self._end = end
        self.stopped = False

    def __iter__(self) -> Iterator[AudioChunk]:
        for number, word in enumerate(self._words):
            self._clock.advance(0.1)
            yield AudioChunk(number * 1600, np.full(1600, word, np.float32))
            if self.stopped:
                return
        if self._end is not None:
            raise self._end

    def stop(self) -> None:
        self.stopped = True


class Network:
    """What each try to connect finds; a try that fails takes its time."""

    def __init__(self, clock: Leaping, *tries: Connection | float) -> None:
        self._clock = clock
        self._tries = list(tries)

    def __call__(self, given: str) -> Connection:
        found = self._tries.pop(0)
        if isinstance(found, Connection):
            return found
        self._clock.advance(found)
        raise InputError(f"{given} cannot be opened as sound: refused")


def heard(*tries: tuple[list[float], Exception | None] | Connection | float) -> list[tuple[int, float]]:
    """(first sample, word) of each chunk."""
    clock = Leaping()
    found = [Connection(clock, *each) if isinstance(each, tuple) else each for each in tries]
    source = UrlSource("http://radio", clock=clock, connect=Network(clock, *found))
    return [(chunk.first, round(float(chunk.samples[0]), 3)) for chunk in source]


def test_after_a_lost_connection_the_time_without_it_is_a_hole() -> None:
    chunks = heard(([0.1, 0.2], LOST), 0.5, 0.5, ([0.3], None), *[0.0] * 99)
    assert chunks[:2] == [(0, 0.1), (1600, 0.2)]
    # A second to each of the three tries, half a second for each of the two refused.
    assert chunks[2] == (3200 + 4 * SAMPLE_RATE, 0.3)


def test_what_is_lost_for_good_is_told_and_what_was_closed_ends() -> None:
    with pytest.raises(DamagedInputError, match=r"was lost after 0\.1 s and is not back within 30 s"):
        heard(([0.1], LOST), *[0.0] * 99)
    assert heard(([0.1], None), *[0.0] * 99) == [(0, 0.1)]


def test_a_try_that_takes_long_is_the_last() -> None:
    with pytest.raises(DamagedInputError, match="is not back"):
        heard(([0.1], LOST), 40.0)


def test_a_server_that_gives_a_file_again_has_given_all_of_it() -> None:
    file = [0.0, 0.0, *(number / 100 for number in range(1, 30))]
    chunks = heard((file, None), (file, None))
    assert [word for _, word in chunks] == file
    live = heard((file, None), ([*file[:10], 0.5, *file[11:]], None), *[0.0] * 99)
    assert [word for _, word in live[len(file) :]] == [*file[:10], 0.5, *file[11:]]


def test_a_short_answer_is_heard_whole() -> None:
    file = [0.1] * 30
    chunks = heard((file, None), ([0.1] * 3, None), *[0.0] * 99)
    assert [word for _, word in chunks] == [0.1] * 33


def test_what_broke_off_and_begins_again_is_no_whole_file() -> None:
    file = [number / 100 for number in range(1, 31)]
    with pytest.raises(DamagedInputError, match="not back"):
        heard((file, LOST), (file, LOST), *[0.0] * 99)
    clock = Leaping()
    closed = Connection(clock, [0.9], None, 60.0)
    source = UrlSource("http://x", clock=clock, connect=Network(clock, Connection(clock, file, LOST), closed))
    with pytest.raises(DamagedInputError, match="reset"):
        list(source)
    assert closed.stopped


def test_what_says_how_long_it_is_ends_where_it_ends() -> None:
    clock = Leaping()
    whole = Connection(clock, [0.1], None, 0.1)
    assert len(list(UrlSource("http://x", clock=clock, connect=Network(clock, whole)))) == 1
    broken = Connection(clock, [0.1], LOST, 5.0)
    with pytest.raises(DamagedInputError, match="reset"):
        list(UrlSource("http://x", clock=clock, connect=Network(clock, broken)))


def test_a_playlist_that_was_closed_is_over() -> None:
    clock = Leaping()
    closed = Connection(clock, [0.9], None, 60.0)
    source = UrlSource(
        "http://x", clock=clock, connect=Network(clock, Connection(clock, [0.1], None), closed)
    )
    assert len(list(source)) == 1


def test_stopping_ends_it_while_it_is_heard_and_while_it_is_lost() -> None:
    clock = Leaping()
    lost = Connection(clock, [0.1, 0.2], LOST)
    source = UrlSource("http://x", clock=clock, connect=Network(clock, lost))
    for _ in source:
        source.stop()
    assert lost.stopped
    tried: list[str] = []

    def connect(given: str) -> Connection:
        tried.append(given)
        if len(tried) == 3:
            source.stop()
        if len(tried) > 1:
            raise InputError("refused")
        return Connection(clock, [0.1], LOST)

    source = UrlSource("http://x", clock=clock, connect=connect)
    assert len(list(source)) == 1
    assert len(tried) == 3


class Quiet(BaseHTTPRequestHandler):
    """Answers without a word on the screen."""

    def log_message(self, *_: Any) -> None:
        pass


class Folder(Quiet, SimpleHTTPRequestHandler):
    """Serves a folder."""


@contextmanager
def serving(handler: Callable[..., BaseHTTPRequestHandler]) -> Iterator[str]:
    """The address of a server that runs while the block does."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


@pytest.fixture
def aac() -> bytes:
    """Twelve seconds of a rising tone, without a word on how long that is."""
    written = BytesIO()
    with av.open(written, "w", format="adts") as container:
        stream = container.add_stream("aac", rate=SAMPLE_RATE)
        stream.layout = "mono"
        tone = np.sin(np.cumsum(np.linspace(0.05, 0.5, 12 * SAMPLE_RATE))).astype(np.float32)
        for at in range(0, len(tone), 1024):
            frame = av.AudioFrame.from_ndarray(tone[None, at : at + 1024], format="fltp", layout="mono")
            frame.sample_rate = SAMPLE_RATE
            frame.pts = at
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return written.getvalue()


def test_a_server_that_drops_its_listeners_is_heard_on(aac: bytes) -> None:
    requests: list[str] = []

    class Radio(Quiet):
        """Half of the sound, then gone; to the second listener the other half; to the third nothing."""

        def do_GET(self) -> None:
            requests.append(self.path)
            half = len(aac) // 2
            part = {1: aac[:half], 2: aac[half:]}.get(len(requests))
            if part is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Type", "audio/aac")
            self.end_headers()
            self.wfile.write(part)

    with serving(Radio) as address:
        source = UrlSource(f"{address}/radio.aac", clock=Leaping())
        chunks = []
        with pytest.raises(DamagedInputError, match=r"was lost after 1\d\.\d s and is not back"):
            for chunk in source:
                chunks.append(chunk)  # noqa: PERF402 - kept when it raises
    assert len(requests) > 2
    holes = [after.first - before.first - len(before.samples) for before, after in itertools.pairwise(chunks)]
    assert sum(hole > 0 for hole in holes) == 1
    assert sum(len(chunk.samples) for chunk in chunks) > 10 * SAMPLE_RATE


def test_a_leap_of_the_streams_clock_is_a_hole() -> None:
    written = BytesIO()
    with av.open(written, "w", format="mpegts") as container:
        stream = container.add_stream("aac", rate=SAMPLE_RATE)
        stream.layout = "mono"
        tone = np.sin(np.arange(8 * SAMPLE_RATE) / 20).astype(np.float32)
        for at in range(0, len(tone), 1024):
            frame = av.AudioFrame.from_ndarray(tone[None, at : at + 1024], format="fltp", layout="mono")
            frame.sample_rate, frame.pts = SAMPLE_RATE, at if at < len(tone) // 2 else at + 5 * SAMPLE_RATE
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))

    class Segments(Quiet):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "video/mp2t")
            self.send_header("Content-Length", str(len(written.getvalue())))
            self.end_headers()
            self.wfile.write(written.getvalue())

    with serving(Segments) as address:
        chunks = list(FileSource(f"{address}/talk.ts"))
    holes = [after.first - before.first - len(before.samples) for before, after in itertools.pairwise(chunks)]
    (hole,) = [hole for hole in holes if hole]
    assert hole / SAMPLE_RATE == pytest.approx(5, abs=0.1)
    assert sum(len(chunk.samples) for chunk in chunks) / SAMPLE_RATE == pytest.approx(8, abs=0.2)


def test_an_address_where_nobody_answers_is_refused_at_once() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    address = f"http://127.0.0.1:{server.server_port}/talk.mp3"
    server.server_close()
    with pytest.raises(InputError, match="refused"):
        UrlSource(address)


def test_a_playlist_of_segments_is_heard(tmp_path: Path) -> None:
    tone = np.sin(np.arange(9 * SAMPLE_RATE) / 20).astype(np.float32)
    with av.open(str(tmp_path / "talk.m3u8"), "w", format="hls", options={"hls_time": "2"}) as container:
        stream = container.add_stream("aac", rate=SAMPLE_RATE)
        stream.layout = "mono"
        for at in range(0, len(tone), 1024):
            frame = av.AudioFrame.from_ndarray(tone[None, at : at + 1024], format="fltp", layout="mono")
            frame.sample_rate, frame.pts = SAMPLE_RATE, at
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert len(list(tmp_path.glob("*.ts"))) > 2

    with serving(partial(Folder, directory=str(tmp_path))) as address:
        chunks = list(UrlSource(f"{address}/talk.m3u8"))
    assert [chunk.first for chunk in chunks] == [number * 1600 for number in range(len(chunks))]
    assert sum(len(chunk.samples) for chunk in chunks) / SAMPLE_RATE == pytest.approx(9, abs=0.2)
