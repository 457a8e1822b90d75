"""Files by HTTP, with engines that are fakes: what is answered, who is refused, what is left behind."""

from __future__ import annotations

import asyncio
import json
import pickle
import re
import socket
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute

from decalage.app.server.door import Door
from decalage.app.server.file_api import file_routes
from decalage.app.server.file_desk import Capped, FileDesk, FileEndpoint
from decalage.app.server.guard import Guard
from decalage.app.server.off_loop import off_loop
from decalage.app.server.openapi import document
from decalage.app.server.translate_api import translate
from decalage.app.server.uploads import FileLimits
from decalage.app.server.web import Service
from decalage.audio import SAMPLE_RATE
from decalage.errors import DamagedInputError
from decalage.sources.file import FileSource
from decalage.testing.engines import FakeBlueprint, FakeRecognizer, Gate
from tests.app.file_kit import FakeBooth, served, spelled
from tests.sources.film_kit import claiming

ASK_NOT = Path(__file__).parents[2] / "samples" / "ask-not.flac"
PROTOCOL = Path(__file__).parents[2] / "docs" / "protocol.md"
TRANSCRIBE, TRANSLATE = "/v1/audio/transcriptions", "/v1/audio/translations"
Message = MutableMapping[str, Any]


@dataclass(slots=True)
class Bench:
    """A server of fakes."""

    booth: FakeBooth
    desk: FileDesk
    url: str
    client: httpx.Client
    folder: Path
    """Where uploads are kept."""

    def form(self, content: bytes, path: str = TRANSCRIBE, name: str = "talk.wav", **fields: Any) -> Any:
        return self.client.post(path, files={"file": (name, content)}, data=fields)

    def left(self) -> list[Path]:
        return list(self.folder.iterdir())


@contextmanager
def bench(folder: Path, blueprint: FakeBlueprint | None = None, **limits: Any) -> Iterator[Bench]:
    booth = FakeBooth(blueprint)
    kept = FileLimits(**limits)
    desk = FileDesk(booth, kept)
    before = tempfile.tempdir
    tempfile.tempdir = str(folder)
    try:
        with (
            served(file_routes(booth, kept, desk)) as url,
            httpx.Client(base_url=url, timeout=30, trust_env=False) as client,
        ):
            yield Bench(booth, desk, url, client, folder)
    finally:
        tempfile.tempdir = before
        booth.close()


def told(response: httpx.Response) -> dict[str, Any]:
    error: dict[str, Any] = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert "/tmp" not in error["message"]  # noqa: S108
    return error


def lines(response: httpx.Response) -> list[dict[str, Any]]:
    return [json.loads(line) for line in response.text.splitlines()]


def test_the_events_of_a_body_come_as_lines(tmp_path: Path) -> None:
    with bench(tmp_path) as server:
        response = server.client.post("/v1/translate?from=en&to=pt,es&name=talk.wav", content=spelled(7, 8))
        assert response.headers["content-type"] == "application/x-ndjson"
        start, *captions, summary = lines(response)
        assert server.left() == []
    assert start["input"] == "talk.wav"
    assert [caption["text"] for caption in captions] == [
        {"en": f"word {word}", "pt": f"pt:word {word}", "es": f"es:word {word}"} for word in (7, 8)
    ]
    assert (summary["type"], summary["captions"]) == ("summary", 2)


def test_events_come_while_the_rest_is_still_heard(tmp_path: Path) -> None:
    gate = Gate()
    with (
        bench(tmp_path, FakeBlueprint(FakeRecognizer(gates={8: gate}))) as server,
        server.client.stream("POST", "/v1/translate", content=spelled(7, 8)) as response,
    ):
        came = response.iter_lines()
        assert json.loads(next(came))["type"] == "start"
        assert json.loads(next(came))["text"]["en"] == "word 7"
        gate.open()
        assert [json.loads(line)["type"] for line in came] == ["caption", "summary"]


CUES = "1\n00:00:00,000 --> 00:00:00,200\nword 7\n\n2\n00:00:00,300 --> 00:00:00,500\nword 8\n\n"
FORMS = {
    "json": '{"text":"word 7 word 8"}',
    "text": "word 7 word 8\n",
    "srt": CUES,
    "vtt": "WEBVTT\n\n" + CUES.replace(",", "."),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_transcription_has_the_form_that_was_asked_for(tmp_path: Path, form: str) -> None:
    with bench(tmp_path) as server:
        response = server.form(spelled(7, 8), response_format=form, model="whisper-1", of_no_use="x")
        assert (response.status_code, response.text) == (200, FORMS[form])
        assert server.booth.fakes.fake_translator.calls == []
        assert server.left() == []


def test_a_language_that_is_not_named_is_told_by_the_sound(tmp_path: Path) -> None:
    with bench(tmp_path) as server:
        for fields in ({}, {"language": "pt-BR"}, {"prompt": "x" * 500 + "Brasília"}):
            assert server.form(spelled(7), **fields).status_code == 200
        assert server.form(spelled(7), TRANSLATE, language="pt").json() == {"text": "en:word 7"}
        assert [wish.source for wish in server.booth.wishes] == ["auto", "pt", "auto", "pt"]
        prompt = server.booth.wishes[2].prompt
        assert prompt is not None
        assert prompt == "x" * 392 + "Brasília"


def test_text_comes_as_server_sent_events_whose_pieces_make_the_whole(tmp_path: Path) -> None:
    with bench(tmp_path) as server:
        response = server.form(spelled(7, 8), stream="true")
    assert response.headers["content-type"].startswith("text/event-stream")
    *events, done = response.text.removesuffix("\n\n").split("\n\n")
    assert done == "data: [DONE]"
    bodies = [json.loads(event.removeprefix("data: ")) for event in events]
    assert bodies == [
        {"type": "transcript.text.delta", "delta": "word 7"},
        {"type": "transcript.text.delta", "delta": " word 8"},
        {"type": "transcript.text.done", "text": "word 7 word 8"},
    ]


def test_speech_that_failed_is_told_where_and_not_left_out(tmp_path: Path) -> None:
    with bench(tmp_path, FakeBlueprint(FakeRecognizer(failing={8}))) as server:
        response = server.form(spelled(7, 8))
        assert (response.status_code, told(response)["code"]) == (500, "incomplete")
        assert "0.3-0.5 s failed (asr: cannot hear 8)" in told(response)["message"]
        assert response.headers["x-should-retry"] == "false"
        stream = server.form(spelled(7, 8), stream="true").text
        assert '"delta": "word 7"' in stream
        assert '"code": "incomplete"' in stream
        assert "text.done" not in stream
        kinds = [event["type"] for event in lines(server.client.post("/v1/translate", content=spelled(7, 8)))]
        assert kinds == ["start", "caption", "failure", "summary"]


def test_a_file_that_ends_early_is_an_error_or_stands_in_the_summary(tmp_path: Path) -> None:
    cut = spelled(7, 8, lost_bytes=4_000)
    with bench(tmp_path) as server:
        response = server.form(cut)
        assert (response.status_code, told(response)["code"]) == (400, "damaged_audio")
        assert told(response)["message"].startswith("talk.wav ends early")
        assert '"code": "damaged_audio"' in server.form(cut, stream="true").text
        answer = server.client.post("/v1/translate", content=cut)
        assert answer.status_code == 200
        assert lines(answer)[-1]["damaged"].startswith("the file ends early")


HTML = b"<html>" + b"x" * 5000
SCRIPT = b"ffconcat version 1.0\nfile /etc/hostname\n"


@pytest.mark.parametrize(
    ("content", "why"), [(HTML, "Invalid data"), (SCRIPT, "it is no plain file")], ids=["page", "script"]
)
def test_what_is_no_sound_is_refused_by_the_name_the_client_gave(
    tmp_path: Path, content: bytes, why: str
) -> None:
    with bench(tmp_path) as server:
        response = server.form(content, name="../../my talk.wav")
        assert (response.status_code, told(response)["code"]) == (400, "unreadable_audio")
        assert told(response)["message"].startswith(f"my talk.wav cannot be opened as sound: {why}")
        response = server.client.post("/v1/translate?name=..%5Cmy%09talk%0A.wav", content=content)
        assert (response.status_code, told(response)["code"]) == (400, "unreadable_audio")
        assert told(response)["message"].startswith(f"my talk .wav cannot be opened as sound: {why}")
        assert str(tmp_path) not in response.text
        assert server.left() == []


def playlist(named: str) -> str:
    return f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:1,\n{named}\n#EXT-X-ENDLIST\n"


def script(named: str) -> str:
    return f"ffconcat version 1.0\nfile '{named}'\n"


@pytest.mark.parametrize("name", ["list.m3u8", "list.ffconcat", "talk.wav", "talk"])
@pytest.mark.parametrize("write", [playlist, script])
def test_a_playlist_that_is_sent_opens_no_file_and_reaches_no_host(
    tmp_path: Path, name: str, write: Callable[[str], str]
) -> None:
    with bench(tmp_path) as server, socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        host = f"http://127.0.0.1:{listening.getsockname()[1]}/a.ts"
        for named in ("/etc/passwd", "file:///etc/passwd", str(ASK_NOT), ASK_NOT.as_uri(), host):
            response = server.form(write(named).encode(), name=name)
            assert (response.status_code, told(response)["code"]) == (400, "unreadable_audio")
            assert told(response)["message"].startswith(f"{name} cannot be opened as sound: ")
        with pytest.raises(BlockingIOError):  # nobody has connected
            listening.accept()
        assert server.booth.streams == []


def test_tables_that_claim_years_of_sound_are_refused_and_the_next_file_is_heard(tmp_path: Path) -> None:
    claims = claiming(tmp_path / "a.mov", samples=(1 << 28) - 1, chunks=100).read_bytes()
    uploads = tmp_path / "uploads"
    uploads.mkdir()
    with bench(uploads) as server:
        response = server.form(claims, name="a.mov")
        assert (response.status_code, told(response)["code"]) == (400, "unreadable_audio")
        assert server.form(spelled(7)).status_code == 200
        assert server.left() == []


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"response_format": "diarized_json"}, "response_format"),
        ({"temperature": "hot"}, "temperature"),
        (
            {"timestamp_granularities[]": "letter", "response_format": "verbose_json"},
            "timestamp_granularities",
        ),
        ({"timestamp_granularities[]": "word"}, "response_format"),
        ({"stream": "true", "response_format": "srt"}, "stream"),
        ({"language": "x1"}, None),
        ({"language": "sw"}, None),
    ],
)
def test_a_field_that_cannot_be_done_is_named(
    tmp_path: Path, fields: dict[str, str], param: str | None
) -> None:
    with bench(tmp_path) as server:
        response = server.form(spelled(7), **fields)
        assert response.status_code == 400
        assert told(response)["param"] == param
        assert server.booth.streams == []


def test_languages_are_refused_before_the_file_is_read(tmp_path: Path) -> None:
    with bench(tmp_path) as server:
        response = server.client.post("/v1/translate?from=sw", content=spelled(7))
        assert (response.status_code, told(response)["code"]) == (400, "unsupported_language")


BOUNDARY = b"--b\r\n"
FILE = b'Content-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
FIELD = b'Content-Disposition: form-data; name="model"\r\n\r\n'
END = b"\r\n--b--\r\n"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (BOUNDARY + FIELD + b"x" + END, 400, "no_file"),
        (BOUNDARY + FILE + b"x\r\n" + BOUNDARY + FILE + b"x" + END, 400, "bad_form"),
        (BOUNDARY + FILE + b"x", 400, "bad_form"),
        (b"what is this", 400, "bad_form"),
        (BOUNDARY + FIELD + b"x" * 70_000 + END, 413, "too_big"),
        (BOUNDARY + (FIELD + b"x\r\n" + BOUNDARY) * 101 + FIELD + b"x" + END, 400, "bad_form"),
        (BOUNDARY + FILE + END, 400, "unreadable_audio"),
    ],
    ids=["none", "two", "early", "no form", "long field", "many parts", "empty"],
)
def test_a_form_that_is_not_as_it_should_be_is_refused(
    tmp_path: Path, body: bytes, status: int, code: str
) -> None:
    kind = {"content-type": "multipart/form-data; boundary=b"}
    with bench(tmp_path) as server:
        response = server.client.post(TRANSCRIBE, content=body, headers=kind)
        assert (response.status_code, told(response)["code"]) == (status, code)
        assert server.left() == []


def test_only_forms_are_taken_where_a_form_is_due(tmp_path: Path) -> None:
    with bench(tmp_path) as server:
        assert server.client.post(TRANSCRIBE, content=spelled(7)).status_code == 415
        for kind in ("multipart/form-data", "multipart/form-data; boundary=" + "b" * 300):
            response = server.client.post(TRANSCRIBE, content=b"x", headers={"content-type": kind})
            assert (response.status_code, told(response)["code"]) == (400, "bad_form")
        assert told(server.client.post("/v1/translate"))["code"] == "no_file"


def pieces(count: int) -> Iterator[bytes]:
    """A body whose length is not told before."""
    for _ in range(count):
        yield b"x" * 10_000


def test_more_bytes_than_are_taken_are_refused_told_or_untold(tmp_path: Path) -> None:
    with bench(tmp_path, upload_bytes=100_000) as server:
        for content in (b"x" * 100_001, pieces(11)):
            response = server.client.post("/v1/translate", content=content)
            assert (response.status_code, told(response)["code"]) == (413, "too_big")
        response = server.form(b"x" * 200_000)
        assert (response.status_code, told(response)["param"]) == (413, "file")
        assert server.form(b"x" * 100_000).status_code == 400  # no sound, but not too big
        assert server.left() == []
        assert server.booth.streams == []


def test_a_file_is_not_held_in_memory_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    gate = Gate()
    with bench(tmp_path, FakeBlueprint(FakeRecognizer(gate=gate))) as server:
        with server.client.stream("POST", "/v1/translate", content=spelled(7)) as response:
            gate.wait_inside(1)
            (folder,) = server.left()
            (file,) = folder.iterdir()
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
            assert file.read_bytes() == spelled(7)
            gate.open()
            response.read()
        assert server.left() == []


def test_longer_sound_than_is_heard_is_refused_before_it_is(tmp_path: Path) -> None:
    with bench(tmp_path, sound_s=0.5) as server:
        response = server.form(spelled(7, 8))
        assert (response.status_code, told(response)["code"]) == (413, "too_long")
        assert told(response)["message"] == "talk.wav is too long: 0.5 s are heard"
        assert server.left() == []
        assert server.booth.streams == []


def test_a_file_that_is_longer_than_it_says_ends_at_the_limit() -> None:
    capped = pickle.loads(pickle.dumps(Capped(FileSource(str(ASK_NOT)), 2.0)))  # noqa: S301 - our own bytes
    heard = 0
    with pytest.raises(DamagedInputError, match="is too long: 2 s are heard"):
        for chunk in capped:
            heard += len(chunk.samples)
    assert heard == 2 * SAMPLE_RATE


def answered(connection: socket.socket) -> bytes:
    """All that comes until the server closes."""
    answer = b""
    while piece := connection.recv(65536):
        answer += piece
    return answer


def connected(url: str) -> socket.socket:
    host, port = url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=30)


HEAD = b"POST /v1/translate HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n"


def test_a_client_that_falls_silent_is_not_waited_for(tmp_path: Path) -> None:
    with bench(tmp_path, silence_s=0.2) as server, connected(server.url) as connection:
        connection.sendall(HEAD + b"x" * 1000)
        answer = answered(connection)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"no more than 1000 bytes came" in answer
        assert server.left() == []


def test_a_client_that_sends_next_to_nothing_is_not_waited_for(tmp_path: Path) -> None:
    stopped = threading.Event()
    with bench(tmp_path, silence_s=0.4) as server, connected(server.url) as connection:

        def trickle() -> None:
            while not stopped.wait(0.05):  # each well within the time of silence
                connection.sendall(b"x")

        connection.sendall(HEAD)
        trickling = threading.Thread(target=trickle)
        trickling.start()
        try:
            first = connection.recv(65536)
        finally:
            stopped.set()
            trickling.join()
        assert first.startswith(b"HTTP/1.1 408 ")


def test_when_all_places_are_taken_a_file_is_refused_and_may_come_later(tmp_path: Path) -> None:
    gate = Gate()
    with bench(tmp_path, FakeBlueprint(FakeRecognizer(gate=gate)), runs=1, waiting=0) as server:
        with server.client.stream("POST", "/v1/translate", content=spelled(7)) as response:
            gate.wait_inside(1)
            busy = server.form(spelled(8))
            assert (busy.status_code, told(busy)["type"]) == (429, "rate_limit_error")
            assert int(busy.headers["retry-after"]) > 0
            gate.open()
            response.read()
        for word in range(1, 6):  # the end of an answer frees the place before it is read
            assert server.form(spelled(word)).json() == {"text": f"word {word}"}


def test_files_wait_for_their_turn_in_line(tmp_path: Path) -> None:
    gate = Gate()
    with (
        bench(tmp_path, FakeBlueprint(FakeRecognizer(gates={7: gate})), runs=1, waiting=1) as server,
        server.client.stream("POST", "/v1/translate", content=spelled(7)) as first,
        connected(server.url) as second,
    ):
        gate.wait_inside(1)
        head = "POST /v1/translate HTTP/1.1\r\nhost: x\r\nconnection: close\r\nexpect: 100-continue\r\n"
        second.sendall(f"{head}content-length: {len(spelled(8))}\r\n\r\n".encode())
        assert second.recv(1000).startswith(b"HTTP/1.1 100 ")  # it has its place
        assert server.form(spelled(9)).status_code == 429
        second.sendall(spelled(8))
        second.settimeout(0.5)
        with pytest.raises(TimeoutError):
            second.recv(1)  # not while the first is heard
        second.settimeout(30)
        gate.open()
        first.read()
        assert b"word 8" in answered(second)
        assert server.form(spelled(9)).status_code == 200


@pytest.mark.parametrize("path", ["/v1/translate", TRANSCRIBE])
def test_a_run_ends_when_its_client_leaves(tmp_path: Path, path: str) -> None:
    gate = Gate()
    with bench(tmp_path, FakeBlueprint(FakeRecognizer(gates={7: gate})), runs=1, waiting=1) as server:
        request = server.client.build_request("POST", path, files={"file": ("a.wav", spelled(7))})
        if path == "/v1/translate":
            request = server.client.build_request("POST", path, content=spelled(7))
        with connected(server.url) as connection:
            head = f"POST {path} HTTP/1.1\r\n".encode()
            head += b"".join(b"%s: %s\r\n" % pair for pair in request.headers.raw)
            connection.sendall(head + b"\r\n" + request.read())
            gate.wait_inside(1)
        with server.client.stream("POST", "/v1/translate", content=spelled(8)) as response:
            assert json.loads(next(response.iter_lines()))["type"] == "start"  # its turn has come
            assert server.booth.streams[0].ended
            gate.open()
        assert server.desk.places <= 1


def test_a_server_about_to_stop_takes_no_files(tmp_path: Path) -> None:
    with bench(tmp_path) as server:
        server.desk.close()
        response = server.form(spelled(7))
        assert (response.status_code, told(response)["code"]) == (503, "stopping")
    with bench(tmp_path) as server:
        server.booth.close()
        assert server.client.post("/v1/translate", content=spelled(7)).status_code == 503
        assert server.left() == []


class Defect(FakeBooth):
    """Fails in a way that nobody has thought of."""

    def start_event(self, wish: Any, given: str) -> Any:
        raise ZeroDivisionError(given, wish)


class Client:
    """The other side of an ASGI application: what it sends, and all that it is told."""

    def __init__(self, *sent: bytes, leaves: bool = False, reads: int = 1000) -> None:
        self._sent = [{"type": "http.request", "body": body, "more_body": True} for body in sent]
        self._sent[-1]["more_body"] = leaves
        self._leaves = leaves
        self._reads = reads
        self.told: list[Message] = []

    async def receive(self) -> Message:
        if self._sent:
            return self._sent.pop(0)
        if not self._leaves:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if len(self.told) == self._reads:
            await asyncio.Event().wait()
        self.told.append(message)

    def ask(self, booth: FakeBooth, folder: Path, monkeypatch: pytest.MonkeyPatch, **limits: Any) -> FileDesk:
        monkeypatch.setattr(tempfile, "tempdir", str(folder))
        scope = {"type": "http", "method": "POST", "query_string": b"", "headers": []}

        async def answer() -> FileDesk:
            desk = FileDesk(booth, FileLimits(**limits))
            await FileEndpoint(desk, translate)(scope, self.receive, self.send)
            return desk

        try:
            desk = asyncio.run(answer())
        finally:
            booth.close()
        assert list(folder.iterdir()) == []
        assert desk.places == 0
        return desk


def test_nothing_is_left_of_an_upload_whose_client_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    booth = FakeBooth()
    client = Client(b"x" * 2_000_000, b"x", leaves=True)
    client.ask(booth, tmp_path, monkeypatch)
    assert client.told == []
    assert booth.streams == []


def test_a_run_whose_client_does_not_read_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    booth = FakeBooth()
    client = Client(spelled(*range(1, 100)), reads=3)
    client.ask(booth, tmp_path, monkeypatch, silence_s=0.2)
    assert len(client.told) == 3
    assert booth.streams[0].ended


def test_a_defect_is_told_without_its_details_and_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    booth = Defect()
    client = Client(spelled(7))
    client.ask(booth, tmp_path, monkeypatch)
    assert client.told[0]["status"] == 500
    assert b"ZeroDivision" not in client.told[1]["body"]
    assert "ZeroDivisionError" in caplog.text
    assert booth.streams[0].ended or not booth.runtime.statistics().streams


def test_a_call_off_the_loop_has_ended_when_its_caller_is_cancelled() -> None:
    gate, ended = Gate(), threading.Event()

    def call() -> None:
        gate.pass_through()
        ended.set()

    async def cancelled() -> bool:
        calling = asyncio.ensure_future(off_loop(call))
        await asyncio.to_thread(gate.wait_inside, 1)
        calling.cancel()
        asyncio.get_running_loop().call_soon(gate.open)
        with pytest.raises(asyncio.CancelledError):
            await calling
        return ended.is_set()

    assert asyncio.run(cancelled())


def requests_of(routes: Sequence[BaseRoute]) -> set[tuple[str, str]]:
    """(method, path) of each route; not of sockets, nor of the files that pages are made of."""
    found = set()
    for route in routes:
        if isinstance(route, Route):
            found |= {(method, route.path) for method in route.methods or () if method != "HEAD"}
        else:
            assert isinstance(route, WebSocketRoute) or (isinstance(route, Mount) and route.path == "/static")
    return found


def described() -> set[tuple[str, str]]:
    paths: Any = document()["paths"]
    return {(method.upper(), path) for path, operations in paths.items() for method in operations}


def documented() -> set[tuple[str, str]]:
    """Of the table in docs/protocol.md."""
    table = PROTOCOL.read_text("utf-8").partition("\n## HTTP\n")[2]
    found = set()
    for cell in re.findall(r"^\| (`(?:GET|POST) .*?`) \|", table, re.MULTILINE):
        method, *paths = re.findall(r"GET|POST|/[^`? ]*", cell)
        named = [path.replace("LISTEN_ID", "{listen_id}").replace("/ID", "/{id}") for path in paths]
        found |= {(method, path) for path in named}
    return found


def test_every_request_is_documented_and_described_and_nothing_else() -> None:
    booth = FakeBooth()
    answered = requests_of(Service(booth, Door()).routes())
    booth.close()
    assert documented() == answered
    assert described() == answered


def test_what_is_described_as_secured_wants_the_token() -> None:
    booth = FakeBooth()
    routes = Service(booth, Door()).routes()
    paths: Any = document()["paths"]
    with (
        served([Mount("/", Guard(Starlette(routes=routes), Door(token="x", hosts=None)))]) as url,  # noqa: S106
        httpx.Client(base_url=url, timeout=30, trust_env=False) as client,
    ):
        for path, operations in paths.items():
            for method, operation in operations.items():
                answer = client.request(method, path.replace("{id}", "whisper-1"))
                assert (answer.status_code == 401) == ("security" in operation), (method, path)
                assert (answer.status_code == 401) <= ("401" in operation["responses"]), (method, path)
    booth.close()


def test_the_description_refers_to_what_it_has(tmp_path: Path) -> None:
    with bench(tmp_path) as server:
        text = server.client.get("/openapi.json").text
    body = json.loads(text)
    assert body == json.loads(json.dumps(document()))
    for name in re.findall(r'"#/components/schemas/(\w+)"', text):
        assert name in body["components"]["schemas"]
    for path, operations in body["paths"].items():
        for operation in operations.values():
            assert operation["summary"]
            named = {each["name"] for each in operation.get("parameters", ()) if each["in"] == "path"}
            assert named == set(re.findall(r"{(\w+)}", path))
