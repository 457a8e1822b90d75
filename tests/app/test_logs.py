"""Every line can be read by a program, and no line holds a secret."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime

import pytest
from starlette.types import Message, Receive, Scope, Send

from decalage.app.server.logs import (
    AccessLog,
    JsonFormatter,
    TextFormatter,
    access,
    configure,
    shortened,
    shown_path,
)

LISTEN_ID = "Zt8wPq2LkX0vB7mN"
TOKEN = "correct-horse-battery-staple"  # noqa: S105 - of a test


def record(message: str, *args: object, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("decalage.app.server", logging.INFO, "here.py", 1, message, args, None)
    made.created = 1_700_000_000.125
    vars(made).update(extra)
    return made


class Collected(logging.Handler):
    """Keeps what the access log writes."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def collected() -> Iterator[Collected]:
    handler = Collected()
    before = access.level
    access.addHandler(handler)
    access.setLevel(logging.DEBUG)
    yield handler
    access.removeHandler(handler)
    access.setLevel(before)


def test_a_json_line_has_time_level_logger_message_and_extras() -> None:
    line = JsonFormatter().format(record("opened for %s", "en", session=LISTEN_ID, seconds=1.5, to=["pt"]))
    assert "\n" not in line
    told = json.loads(line)
    assert list(told) == ["time", "level", "logger", "message", "session", "seconds", "to"]
    assert told["time"] == "2023-11-14T22:13:20.125Z"
    assert datetime.fromisoformat(told["time"]).timestamp() == 1_700_000_000.125
    assert (told["level"], told["logger"]) == ("info", "decalage.app.server")
    assert (told["message"], told["session"], told["seconds"]) == ("opened for en", "Zt8w…", 1.5)
    assert told["to"] == ["pt"]


def test_a_json_line_is_json_whatever_is_logged() -> None:
    extra = {"lag": float("nan"), "where": object, "time": "noon", "text": 'a "b"\n\ud800'}
    told = json.loads(JsonFormatter().format(record("línea\n%s", "\x00", **extra)))
    assert told["message"] == "línea\n\x00"
    assert told["lag"] == "nan"
    assert told["time"].startswith("2023")
    assert told["text"] == extra["text"]


def test_an_exception_is_part_of_its_line() -> None:
    failed = record("a step failed")
    try:
        json.loads("sound")
    except ValueError:
        failed.exc_info = sys.exc_info()
    told = json.loads(JsonFormatter().format(failed))
    assert told["exception"].startswith("Traceback")
    assert told["exception"].endswith(
        "json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)"
    )
    first, second, *_, last = TextFormatter().format(failed).splitlines()
    assert first.endswith("a step failed")
    assert (second, last) == (
        "Traceback (most recent call last):",
        "json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)",
    )


def test_a_text_line_stays_one_line_whatever_a_client_has_sent() -> None:
    line = TextFormatter().format(
        record(
            "refused: %s",
            "a\r\nb\x1b[2J\u2028",
            path="/x status=200",
            code=None,
            to=("pt", "es"),
            session=LISTEN_ID,
        )
    )
    assert line == (
        "2023-11-14T22:13:20.125Z INFO decalage.app.server: "
        r'refused: a\r\nb\x1b[2J\u2028 path="/x status=200" to=pt,es session=Zt8w…'
    )


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/", "/"),
        ("/v1/audio/transcriptions", "/v1/audio/transcriptions"),
        (f"/v1/sessions/{LISTEN_ID}/captions", "/v1/sessions/Zt8w…/captions"),
        (f"/v1/sessions/{LISTEN_ID}/qr.svg?to=pt", "/v1/sessions/Zt8w…/qr.svg"),
        (f"/overlay?session={LISTEN_ID}&token={TOKEN}", "/overlay"),
        (f"/overlay#{LISTEN_ID}", "/overlay"),
        (f"//v1/sessions//{LISTEN_ID}", "//v1/sessions/…/Zt8w…"),
        (f"/{TOKEN}", "/corr…"),
        (f"/v1/sesions/{LISTEN_ID}", "/v1/sesions/Zt8w…"),
        ("/static/a-rather-long-worklet.js", "/static/a-rather-long-worklet.js"),
        ("/v1/sessions", "/v1/sessions"),
        ("/a" * 80, "/a" * 50 + "…"),
    ],
)
def test_a_path_is_shown_without_what_lets_anybody_in(path: str, shown: str) -> None:
    assert shown_path(path) == shown


def test_an_identity_is_shortened_to_a_few_letters() -> None:
    assert shortened(LISTEN_ID) == "Zt8w…"


def exchanged(
    answers: list[Message], asked: list[Message] | None = None, path: str = "/v1/info", **scope: object
) -> None:
    """One exchange with an application that sends ``answers`` and then takes ``asked``."""

    async def application(_scope: Scope, receive: Receive, send: Send) -> None:
        for message in answers:
            if message["type"] == "raise":
                raise ValueError("a defect")
            await send(message)
        for _ in asked or []:
            await receive()

    came = iter(asked or [])

    async def receive() -> Message:
        return next(came)

    async def send(message: Message) -> None:
        assert message in answers

    whole: dict[str, object] = {"type": "http", "method": "GET", "path": path, "query_string": b"token=x"}
    asyncio.run(AccessLog(application)(whole | scope, receive, send))


def fields(found: Collected) -> dict[str, object]:
    (told,) = found.records
    return {name: vars(told).get(name) for name in ("method", "path", "status", "bytes", "close")}


def test_a_request_is_told_when_its_answer_is_sent(collected: Collected) -> None:
    start = {"type": "http.response.start", "status": 200, "headers": []}
    parts = [
        {"type": "http.response.body", "body": body, "more_body": body != b""}
        for body in (b"abc", b"de", b"")
    ]
    exchanged([start, *parts], path=f"/v1/sessions/{LISTEN_ID}/transcript")
    assert fields(collected) == {
        "method": "GET",
        "path": "/v1/sessions/Zt8w…/transcript",
        "status": 200,
        "bytes": 5,
        "close": None,
    }
    assert collected.records[0].levelno == logging.INFO
    assert vars(collected.records[0])["ms"] >= 0


def test_a_defect_is_told_as_500_and_goes_on(collected: Collected) -> None:
    with pytest.raises(ValueError, match="a defect"):
        exchanged([{"type": "raise"}])
    assert fields(collected)["status"] == 500


def test_a_client_that_went_away_is_told_as_499(collected: Collected) -> None:
    exchanged([])
    assert fields(collected)["status"] == 499


def test_what_machines_ask_all_the_time_is_told_only_when_everything_is(collected: Collected) -> None:
    exchanged([{"type": "http.response.start", "status": 503, "headers": []}], path="/readyz")
    exchanged([{"type": "http.response.start", "status": 200, "headers": []}], path="/healthz")
    levels = [told.levelno for told in collected.records]
    assert levels == [logging.INFO, logging.DEBUG]


def test_a_websocket_is_told_when_it_is_over(collected: Collected) -> None:
    accept: Message = {"type": "websocket.accept"}
    sent: list[Message] = [
        {"type": "websocket.send", "text": "é"},
        {"type": "websocket.send", "bytes": b"1234", "text": None},
    ]
    exchanged(
        [accept, *sent], [{"type": "websocket.disconnect", "code": 1001}], "/v1/stream", type="websocket"
    )
    told = {"method": "WEBSOCKET", "path": "/v1/stream", "status": 101, "bytes": 6, "close": 1001}
    assert fields(collected) == told


def test_the_close_code_of_a_websocket_is_that_of_who_closed_first(collected: Collected) -> None:
    close: Message = {"type": "websocket.close", "code": 1008}
    gone: Message = {"type": "websocket.disconnect", "code": 1006}
    exchanged([{"type": "websocket.accept"}, close], [gone], type="websocket")
    assert fields(collected)["close"] == 1008


def test_a_websocket_that_is_not_let_in_is_told_as_403(collected: Collected) -> None:
    exchanged([{"type": "websocket.close", "code": 1008}], type="websocket")
    assert fields(collected)["status"] == 403


def test_the_life_of_the_server_is_no_request(collected: Collected) -> None:
    exchanged([], type="lifespan")
    assert collected.records == []


@pytest.fixture
def quiet_after() -> Iterator[None]:
    """The logging of the test run as it was, after a test that configures it."""
    root, names = (
        logging.getLogger(),
        ("decalage", "uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi"),
    )
    handlers, level = list(root.handlers), root.level
    levels = {name: logging.getLogger(name).level for name in names}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)
        logging.getLogger(name).disabled = False


def told_at(verbose: int) -> set[str]:
    stream = io.StringIO()
    configure("json", verbose, stream)
    for name in ("decalage.app", "uvicorn.error", "another"):
        logger = logging.getLogger(name)
        logger.debug("%s debug", name)
        logger.info("%s info", name)
        logger.warning("%s warning", name)
    logging.getLogger("uvicorn.access").warning("never")
    return {json.loads(line)["message"] for line in stream.getvalue().splitlines()}


@pytest.mark.usefixtures("quiet_after")
def test_more_is_told_with_each_v_but_never_what_the_serving_libraries_debug() -> None:
    warnings = {"decalage.app warning", "uvicorn.error warning", "another warning"}
    infos = {"decalage.app info", "uvicorn.error info", "another info"}
    assert told_at(0) == {*warnings, "decalage.app info"}
    assert told_at(1) == {*warnings, *infos, "decalage.app debug"}
    assert told_at(2) == {*warnings, *infos, "decalage.app debug", "another debug"}


SERVED = f"""
import asyncio, logging, sys
import httpx, uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from websockets.asyncio.client import connect
from decalage.app.server.logs import AccessLog, configure

async def socket(websocket):
    await websocket.accept()
    await websocket.send_text("hello")
    await websocket.close()

async def refused(websocket):
    await websocket.close(1008)

async def page(request):
    return PlainTextResponse("ok")

async def main():
    routes = [Route("/overlay", page), WebSocketRoute("/v1/sessions/{{who}}/captions", socket),
              WebSocketRoute("/v1/stream", refused)]
    app = AccessLog(Starlette(routes=routes))
    configure(sys.argv[1], 2)
    for client in ("httpx", "httpcore"):  # which no server uses
        logging.getLogger(client).setLevel(logging.CRITICAL)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0)
    port = server.servers[0].sockets[0].getsockname()[1]
    authorized = {{"Authorization": "Bearer {TOKEN}"}}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{{port}}", headers=authorized) as client:
        assert (await client.get("/overlay?session={LISTEN_ID}&token={TOKEN}")).text == "ok"
        assert (await client.get("/v1/sessions/{LISTEN_ID}/nothing")).status_code == 404
    url = f"ws://127.0.0.1:{{port}}/v1"
    listening = url + "/sessions/{LISTEN_ID}/captions?token={TOKEN}"
    async with connect(listening, additional_headers=authorized) as ws:
        assert await ws.recv() == "hello"
    try:
        async with connect(url + "/stream?token={TOKEN}", additional_headers=authorized):
            raise AssertionError
    except Exception as error:
        assert "403" in str(error), error
    server.should_exit = True
    await serving

asyncio.run(main())
"""


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_server_that_tells_everything_tells_no_secret(form: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SERVED, form],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if "decalage.access" in line]
    assert len(lines) == 4, done.stderr
    for path in ("/overlay", "/nothing", "/captions", "/v1/stream"):
        assert sum(path in line for line in lines) == 1
    if form == "json":
        said = [json.loads(line) for line in done.stderr.splitlines()]
        ours = [line for line in said if line["logger"] in ("decalage.access", "uvicorn.error")]
        assert {line.get("status") for line in ours} == {None, 101, 200, 403, 404}
    assert LISTEN_ID not in done.stderr
    assert TOKEN not in done.stderr
    assert done.stdout == ""
