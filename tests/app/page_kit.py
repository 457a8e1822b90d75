"""What tests of the page share: the server with its models, a browser whose microphone is a recording, a
cable between the two that can be cut.
"""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import sys
import threading
import wave
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

import numpy as np
from playwright.sync_api import Browser, CDPSession, Page, WebSocket, sync_playwright
from websockets.sync.client import connect

from decalage.audio import SAMPLE_RATE
from decalage.sources.file import FileSource

BEFORE_S = 0.5
"""Silence before the recording: a device loses some of its beginning."""

Row: TypeAlias = tuple[int, str, str]
"""Index, source and target of a settled caption."""


@contextmanager
def serving(*options: str) -> Iterator[str]:
    """``decalage serve`` with real models at a free port; gives the address of its page."""
    command = [sys.executable, "-m", "decalage", "serve", "--port", "0", *options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    told = []
    try:
        for line in process.stderr:
            told.append(line)
            if "serving at " in line:
                break
        else:
            raise AssertionError("".join(told))
        draining = threading.Thread(target=process.stderr.read)  # a full pipe would stop the server
        draining.start()
        yield told[-1].split("serving at ")[1].strip().rstrip("/")
    finally:
        process.terminate()
        assert process.wait(30) == 0, "".join(told)
    draining.join()
    process.stderr.close()


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


class Sent:
    """The sound that a page sent, over however many sockets. To be made before the page speaks."""

    def __init__(self, page: Page) -> None:
        self.rate = 0
        self.sound = b""
        self.again = 0
        """Bytes that were sent twice."""
        self.whole = True
        """Nothing is missing, and what was sent twice was the same."""
        self._next = 0
        page.on("websocket", self._opened)

    def _opened(self, opened: WebSocket) -> None:
        if urlsplit(opened.url).path == "/v1/stream":
            opened.on("framereceived", self._answered)
            opened.on("framesent", self._said)

    def _answered(self, frame: bytes | str) -> None:
        message = json.loads(frame)
        if message["type"] == "ready":
            self._next = 2 * round(message["audio_received_s"] * self.rate)
            self.whole &= self._next <= len(self.sound)

    def _said(self, frame: bytes | str) -> None:
        if isinstance(frame, str):
            self.rate = json.loads(frame).get("sample_rate", self.rate)
            return
        known = self.sound[self._next : self._next + len(frame)]
        self.whole &= frame.startswith(known)
        self.sound += frame[len(known) :]
        self.again += len(known)
        self._next += len(frame)


def uncut(address: str, sent: Sent) -> list[Row]:
    """The captions of the same sound over a socket that lasts. It comes at once: the server paces it."""
    config = {"type": "config", "version": 1, "from": "en", "to": "pt", "sample_rate": sent.rate}
    with connect(f"ws{address.removeprefix('http')}/v1/stream") as opened:
        opened.send(json.dumps(config))
        for start in range(0, len(sent.sound), 96_000):
            opened.send(sent.sound[start : start + 96_000])
        opened.send('{"type": "end"}')
        told = [json.loads(message) for message in opened]
    texts = [(event["index"], event["text"]) for event in told if event["type"] == "caption"]
    return [(index, text["en"], text["pt"]) for index, text in texts]


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
