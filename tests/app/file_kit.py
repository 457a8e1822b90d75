"""What tests of the file routes share: a booth without models, sound that spells words, a server."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.routing import BaseRoute

from decalage.app.server.booth import Booth, Wish
from decalage.app.settings import AUTO, Settings
from decalage.config import RecognizerOptions, RuntimeOptions, StreamOptions
from decalage.contracts import AudioSource
from decalage.errors import UnsupportedPairError
from decalage.events import Start
from decalage.runtimes.pipeline import PipelineRuntime
from decalage.runtimes.stream import RuntimeStream
from decalage.testing.engines import FakeBlueprint, speech


class FakeBooth(Booth):
    """Hears what ``spelled`` writes; remembers what it was asked for."""

    def __init__(self, blueprint: FakeBlueprint | None = None, heard: Sequence[str] = ("en", "pt")) -> None:
        self.settings = Settings(model="tiny", targets=("pt",))
        self.fakes = blueprint or FakeBlueprint()
        self.runtime = PipelineRuntime(self.fakes, RuntimeOptions())
        self.wishes: list[Wish] = []
        self.streams: list[RuntimeStream] = []
        self._heard = list(heard)

    def languages(self) -> Mapping[str, Sequence[object]]:
        return {"from": [*self._heard, *([AUTO] if len(self._heard) > 1 else [])], "to": [], "pairs": []}

    def options(self, wish: Wish) -> StreamOptions:
        self.wishes.append(wish)
        source, targets = wish.source or "en", wish.targets or ("pt",)
        if source not in (AUTO, *self._heard):
            raise UnsupportedPairError(f"this server does not hear {source!r}")
        recognizer = RecognizerOptions(language=source, prompt=wish.prompt, words=wish.words)
        return StreamOptions(targets=targets, recognizer=recognizer)

    def start_event(self, wish: Wish, given: str) -> Start:
        pair = (wish.source or "en", wish.targets or ("pt",))
        return Start(*pair, "pipeline", 1, 1, "tiny", 1, "fake", "auto", 0.5, False, "fast", "max", given)

    def run(self, source: AudioSource, options: StreamOptions) -> RuntimeStream:
        stream = super().run(source, options)
        self.streams.append(stream)
        return stream


def spelled(*words: int, lost_bytes: int = 0) -> bytes:
    """A WAV file of float32 that the fakes hear as ``words``; its end may be missing."""
    samples = speech(words).samples.astype("<f4").tobytes()
    form = struct.pack("<HHIIHH", 3, 1, 16_000, 64_000, 4, 32)
    head = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(samples))
    whole = b"RIFF" + struct.pack("<I", len(head) + len(samples)) + head + samples
    return whole[: len(whole) - lost_bytes]


@contextmanager
def served(routes: Sequence[BaseRoute]) -> Iterator[str]:
    """A server of ``routes``; gives its address. A client may come at once: it waits in the socket."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(
            Starlette(routes=routes), log_config=None, lifespan="off", ws="none", timeout_keep_alive=60
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(30)
        assert not thread.is_alive()
