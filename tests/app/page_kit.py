"""What tests of the page share: the server with its models, a browser whose microphone is a recording, a
cable between the two that can be cut.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
import wave
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import numpy as np
from playwright.sync_api import Browser, CDPSession, Page, WebSocket, sync_playwright
from websockets.sync.client import connect

from decalage.audio import SAMPLE_RATE
from decalage.sources.file import FileSource
from scripts import served

BEFORE_S = 0.5
"""Silence before the recording: a device loses some of its beginning."""

Row: TypeAlias = tuple[int, str, str]
"""Index, source and target of a settled caption."""
Notice: TypeAlias = tuple[int, str]
"""Index and type of what stands in the place of a caption."""


@contextmanager
def serving(*options: str) -> Iterator[str]:
    """``decalage serve`` with real models at a free port; gives the address of its page."""
    with served.serving(*options) as server:
        yield server.url.replace("ws:", "http:")


def recording(path: Path, spoken: Path, seconds: float = 60.0) -> Path:
    """The first ``seconds`` of ``spoken`` as the WAV file that a browser takes for its microphone."""
    heard = np.concatenate([chunk.samples for chunk in FileSource(str(spoken))])[: int(seconds * SAMPLE_RATE)]
    sound = np.concatenate([np.zeros(int(BEFORE_S * SAMPLE_RATE), np.float32), heard])
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes((sound * 32_767).astype("<i2").tobytes())
    return path


@contextmanager
def browsing(program: str, microphone: Path) -> Iterator[Browser]:
    """Chromium; each time a page opens the microphone it hears ``microphone`` once, then silence."""
    arguments = [
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={microphone}%noloop",
    ]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=arguments)
        yield browser
        browser.close()


@dataclass
class Witness:
    """What pages asked for, and what went wrong in them."""

    asked: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> Page:
        """``page``, seen from now on."""
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("websocket", lambda opened: self.asked.append(opened.url))
        page.on("requestfailed", lambda request: self._failed(request.url, request.failure))
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on(
            "console",
            lambda told: self.wrong.append(told.text) if told.type in ("error", "warning") else None,
        )
        return page

    def _failed(self, url: str, why: str | None) -> None:
        if not url.startswith("blob:"):  # a player asks for a recording until it knows its length
            self.wrong.append(f"{url}: {why}")

    def others(self, home: str) -> set[str]:
        """Every host that was asked but ``home``'s."""
        known = urlsplit(home).netloc
        hosts = {urlsplit(url).netloc for url in self.asked if not url.startswith(("data:", "blob:"))}
        return hosts - {known}


def ready(page: Page, address: str) -> Page:
    """``page`` at ``address``, its button to be pressed."""
    page.goto(address)
    page.wait_for_selector("#start:not([disabled])")
    return page


def in_state(page: Page, state: str, timeout_s: float = 30.0) -> None:
    """Return when the page is in ``state``."""
    page.wait_for_selector(f"body[data-state={state}]", timeout=timeout_s * 1000)


def until_spoken(page: Page, seconds: float) -> float:
    """Return the stream clock on ``page`` once it stands at ``seconds`` or later."""
    now: float = page.evaluate(
        """seconds => new Promise(done => {
            const clock = document.getElementById("clock");
            const read = () => clock.textContent.split(":").reduce((whole, part) => 60 * whole + +part, 0);
            const look = () => read() >= seconds && done(read());
            new MutationObserver(look).observe(clock, {childList: true});
            look();
        })""",
        seconds,
    )
    return now


def rows(page: Page) -> list[Row]:
    """The settled captions on a page, from above."""
    found = page.eval_on_selector_all(
        "#captions .caption",
        """rows => rows.map(row => [Number(row.dataset.index),
            row.querySelector('.source').textContent, row.querySelector('.target').textContent])""",
    )
    return [(index, source, target) for index, source, target in found]


def notices(page: Page) -> list[Notice]:
    """What stands on a page in the place of captions, from above."""
    found = page.eval_on_selector_all(
        "#captions .notice",
        "rows => rows.map(row => [Number(row.dataset.index), row.className.replace('notice ', '')])",
    )
    return [(index, kind) for index, kind in found]


class Sent:
    """The sound that a page sent, over however many sockets. To be made before the page speaks."""

    def __init__(self, page: Page) -> None:
        self.rate = 0
        self.parts: list[Part] = []
        """More than one where the page declared that it had none in between."""
        self.again = 0
        """Bytes that were sent twice."""
        self.whole = True
        """Nothing is missing that was not declared, and what was sent twice was the same."""
        self._next = 0
        self._declared = True
        page.on("websocket", self._opened)

    def _opened(self, opened: WebSocket) -> None:
        if urlsplit(opened.url).path == "/v1/stream":
            opened.on("framereceived", self._answered)
            opened.on("framesent", self._said)

    def _answered(self, frame: bytes | str) -> None:
        message = json.loads(frame)
        if message["type"] == "ready":
            self._next = round(message["audio_received_s"] * self.rate)
            if self._declared:
                self.parts.append(Part(self._next))
            self.whole &= self.parts[-1].first <= self._next <= self.parts[-1].end

    def _said(self, frame: bytes | str) -> None:
        if isinstance(frame, str):
            message = json.loads(frame)
            if message["type"] == "config":
                self.rate = message["sample_rate"]
                self._declared = not self.parts or "audio_from_s" in message["resume"]
            return
        part = self.parts[-1]
        begin = 2 * (self._next - part.first)
        known = part.sound[begin : begin + len(frame)]
        self.whole &= frame.startswith(known)
        part.sound += frame[len(known) :]
        self.again += len(known)
        self._next += len(frame) // 2


@dataclass
class Part:
    """PCM16 without a hole; ``first`` is the position of its first sample."""

    first: int
    sound: bytes = b""

    @property
    def end(self) -> int:
        return self.first + len(self.sound) // 2


def uncut(address: str, parts: Sequence[Part], rate: int) -> tuple[list[Row], list[Notice]]:
    """The captions and notices of the same sound over sockets that are not lost: one for each part.

    The first part begins the session. Its sound comes at once: the server paces it.
    """
    told: list[dict[str, Any]] = []
    config: dict[str, Any] = {"type": "config", "version": 1, "sample_rate": rate}
    wish: dict[str, Any] = {"from": "en", "to": "pt"}
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        with connect(f"ws{address.removeprefix('http')}/v1/stream") as opened:
            opened.send(json.dumps(config | wish))
            for start in range(0, len(part.sound), 96_000):
                opened.send(part.sound[start : start + 96_000])
            if last:
                opened.send('{"type": "end"}')
            for message in map(json.loads, opened):
                told.append(message)
                if message["type"] == "ready":
                    config["resume"] = {"session": message["session"], "audio_sent_s": 0}
                safe = message["type"] == "ack" and round(message["audio_received_s"] * rate)
                if safe == part.end - parts[0].first and not last:
                    break
        if not last:
            config["resume"]["last_seq"] = max(message.get("seq", 0) for message in told)
            config["resume"]["audio_from_s"] = (parts[number + 1].first - parts[0].first) / rate
            wish = {}
    settled = [event for event in told if "index" in event and event["type"] != "partial"]
    return (
        [
            (event["index"], event["text"]["en"], event["text"]["pt"])
            for event in settled
            if event["type"] == "caption"
        ],
        [(event["index"], event["type"]) for event in settled if event["type"] != "caption"],
    )


def controls(page: Page) -> list[tuple[str, str]]:
    """Role and accessible name of all that takes the focus, as the browser tells assistive software."""
    session: CDPSession = page.context.new_cdp_session(page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    session.detach()
    found = []
    for node in nodes:
        takes = any(
            each["name"] == "focusable" and each["value"]["value"] for each in node.get("properties", ())
        )
        role = node["role"]["value"]
        if takes and role != "RootWebArea" and not node["ignored"]:
            found.append((role, node.get("name", {}).get("value", "")))
    return found


class Cable:
    """Carries connections to ``address`` until it is cut; those are lost then without a word.

    Two threads a connection, which end with it.
    """

    def __init__(self, address: str) -> None:
        self._to = (str(urlsplit(address).hostname), int(urlsplit(address).port or 80))
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._whole = self._passing = True
        self._open: list[socket.socket] = []
        self.address = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def choke(self) -> None:
        """Nothing arrives any more, and nobody is told."""
        self._passing = False

    def cut(self) -> int:
        """Lose all connections, and let none come about until ``mend``. Returns how many were lost."""
        with self._lock:
            self._whole = False
            lost, self._open = self._open, []
        for end in lost:
            _lose(end)
        return len(lost) // 2

    def mend(self) -> None:
        """Carry again."""
        with self._lock:
            self._whole = self._passing = True

    def close(self) -> None:
        """For good."""
        self.cut()
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                self._carry(self._listening.accept()[0])

    def _carry(self, near: socket.socket) -> None:
        with self._lock:
            if not self._whole:
                _lose(near)
                return
            far = socket.create_connection(self._to)
            self._open += [near, far]
        for one, other in ((near, far), (far, near)):
            threading.Thread(target=self._pass_on, args=(one, other), daemon=True).start()

    def _pass_on(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while block := one.recv(65_536):
                if self._passing:
                    other.sendall(block)
            other.shutdown(socket.SHUT_WR)


def _lose(end: socket.socket) -> None:
    """Reset: what is on its way is gone."""
    with suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        end.shutdown(socket.SHUT_RD)  # wakes the thread that reads it
    end.close()
