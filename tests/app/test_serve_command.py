"""What is served beside the sockets, to whom and where: pages, guards, TLS, Unix sockets, refusals."""

from __future__ import annotations

import asyncio
import io
import json
import re
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pysubs2
import pytest
import segno

from decalage.app.commands.serve import Serving, door_of, serve
from decalage.app.server.door import Door
from decalage.app.server.running import Address, Running, listening
from decalage.app.server.web import Service
from decalage.config import RuntimeOptions
from decalage.errors import UsageError
from decalage.flow.statistics import RuntimeStatistics
from decalage.runtimes.pipeline import PipelineRuntime
from decalage.testing.engines import FakeBlueprint
from tests.app.server_kit import FakeBooth, Served, config, fake_booth, on_loop, served, spoken, trusting
from tests.app.test_cli import refused, run

TOKEN = "open sesame"  # noqa: S105 - of a server that is gone in a moment
LOCKED = Door(token=TOKEN, hosts=None)
END = '{"type":"end"}'


def asking(server: Served, **options: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=20, **options)


async def spoke(server: Served, *words: int, **fields: Any) -> dict[str, Any]:
    """A session that is over, as ``ready`` told it."""
    async with server.speaker(**fields) as speaker:
        await speaker.send(spoken(*words), END)
        await speaker.rest()
    return speaker.told[0]


# Who may ask, and what every answer says


PATHS = [
    *("/", "/overlay", "/static/page.css", "/static/nothing", "/v1/info", "/v1/models", "/v1/stream"),
    *("/v1/sessions/x/transcript", "/v1/sessions/x/qr.svg", "/healthz", "/readyz", "/metrics"),
    *("/openapi.json", "/nowhere"),
]


@on_loop
async def test_every_answer_tells_the_browser_to_load_and_frame_nothing_else() -> None:
    async with served() as server, asking(server) as http:
        for path in PATHS:
            for method in ("GET", "HEAD", "OPTIONS", "POST", "TRACE"):
                answer = await http.request(method, path)
                assert answer.status_code < 500, (method, path)
                policy = answer.headers["content-security-policy"]
                assert "default-src 'none'" in policy, (method, path)
                assert "script-src 'self';" in policy
                assert "frame-ancestors 'none'" in policy
                assert "unsafe" not in policy
                assert answer.headers["x-content-type-options"] == "nosniff"
                assert answer.headers["referrer-policy"] == "no-referrer"
                assert answer.headers["x-frame-options"] == "DENY"
                assert "server" not in answer.headers
                assert "access-control-allow-origin" not in answer.headers


@on_loop
async def test_a_name_cannot_be_smuggled_into_the_policy() -> None:
    async with served(door=Door(hosts=None)) as server:
        for host in ("a b; script-src *", "a'", "[::1]:1", "x" * 300):
            answer = (await server.asked("GET /healthz HTTP/1.1", f"Host: {host}")).decode("latin-1")
            policy = next(line for line in answer.splitlines() if line.startswith("content-security"))
            assert ("script-src *" in policy, "'a'" in policy, "xxx" in policy) == (False, False, False)
            assert ("ws://[::1]:1" in policy) == (host == "[::1]:1")


@on_loop
async def test_a_head_has_no_body_and_what_cannot_be_done_is_said() -> None:
    async with served() as server, asking(server) as http:
        for path in ("/", "/overlay", "/v1/info", "/healthz", "/openapi.json"):
            head, whole = await http.head(path), await http.get(path)
            assert (head.status_code, head.content) == (200, b"")
            assert head.headers["content-length"] == str(len(whole.content))
            asked = await http.options(path)
            assert asked.status_code == 405
            assert "GET" in asked.headers["allow"]
        assert (await http.get("/v1/translate")).status_code == 405
        assert (await http.get("/nowhere")).status_code == 404


@on_loop
async def test_to_change_something_or_to_measure_the_token_is_needed() -> None:
    async with served(door=LOCKED) as server, asking(server) as http:
        for wrong in ({}, {"authorization": "Bearer sesame"}, {"authorization": f"Basic {TOKEN}"}):
            for method, path in (
                ("POST", "/v1/translate"),
                ("POST", "/v1/audio/transcriptions"),
                ("GET", "/metrics"),
                ("GET", "/v1/models"),
                ("GET", "/v1/models/whisper-1"),
                ("HEAD", "/v1/models/none"),
                ("DELETE", "/v1/info"),
            ):
                answer = await http.request(method, path, headers=wrong)
                assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer"), path
                assert TOKEN not in answer.text
                assert "whisper-1" not in answer.text
        right = {"authorization": f"bearer {TOKEN}"}
        for path in ("/metrics", "/v1/models", "/v1/models/whisper-1"):
            assert (await http.get(path, headers=right)).status_code == 200, path
        assert (await http.post("/v1/translate", headers=right)).status_code == 400
        for path in ("/", "/v1/info", "/readyz"):
            assert (await http.get(path)).status_code == 200


@on_loop
async def test_a_page_of_another_site_may_not_change_anything() -> None:
    async with served(door=Door(origins=["https://talks.example"])) as server, asking(server) as http:
        for origin, status in (
            ("https://evil.example", 403),
            ("null", 403),
            (server.url.rstrip("/"), 400),
            ("https://talks.example", 400),
        ):
            answer = await http.post("/v1/translate", headers={"origin": origin})
            assert answer.status_code == status, origin


@on_loop
async def test_a_name_that_is_not_the_servers_is_misdirected() -> None:
    async with served() as server, asking(server) as http:
        for path, status in (("/", 421), ("/v1/info", 421), ("/static/page.css", 421), ("/healthz", 200)):
            assert (await http.get(path, headers={"host": "evil.example"})).status_code == status
            assert (await http.get(path, headers={"host": "localhost:9"})).status_code == 200
        assert b" 421 " in await server.asked("GET / HTTP/1.0")


@on_loop
async def test_who_uses_a_wrong_name_is_told_what_to_do_about_it() -> None:
    door = door_of(serving("--host", "0.0.0.0", "--open"))  # noqa: S104 - read, not bound
    async with served(door=door) as server, asking(server) as http:
        answer = await http.get("/", headers={"host": "evil.example"})
        told = "start it with --allow-host NAME, or ask for its IP address"
        assert (answer.status_code, told in answer.json()["error"]["message"]) == (421, True)
        assert (await http.get("/", headers={"host": "192.0.2.7:8765"})).status_code == 200
        strange = replace(server, url=f"http://evil.example:{server.port}/")
        async with strange.client(host="127.0.0.1") as client:
            assert (await client.rest())[0] == 1008
        assert told in client.told[0]["message"]


@on_loop
async def test_it_is_ready_while_it_would_take_a_session() -> None:
    async with served(sessions=1) as server, asking(server) as http:
        assert (await http.get("/readyz")).text == "ok"
        async with server.speaker() as speaker:
            full = await http.get("/readyz")
            assert (full.status_code, full.text) == (503, "full")
            await speaker.send(END)
            await speaker.rest()
        again = await http.get("/readyz")
        assert (again.status_code, again.text) == (200, "ok")


@on_loop
async def test_a_session_that_may_be_displaced_leaves_the_server_ready() -> None:
    async with served(sessions=1) as server, asking(server) as http:
        async with server.speaker():
            assert (await http.get("/readyz")).text == "full"
        async with asyncio.timeout(10):  # the client has left before the server knows
            while (await http.get("/readyz")).text == "full":
                pass
        assert len(server.service.hall.sessions) == 1
        assert (await http.get("/readyz")).text == "ok"
        await server.serves()


@on_loop
async def test_refused_speakers_are_counted_apart_from_what_goes_wrong_later() -> None:
    async with served(sessions=1) as server, asking(server) as http:
        async with server.speaker() as speaker:
            async with server.client() as late:
                await late.send(config())
                assert (await late.rest())[0] == 1013
            async with server.listener("nobody") as listener:
                assert (await listener.rest())[0] == 1008
            await speaker.send("no JSON")
            assert (await speaker.rest())[0] == 1003
        found = (await http.get("/metrics")).text.splitlines()
    told = {line for line in found if re.match(r"decalage_(sessions_refused|protocol_errors)_total{", line)}
    assert told == {
        'decalage_sessions_refused_total{reason="busy"} 1.0',
        'decalage_protocol_errors_total{code="busy"} 1.0',
        'decalage_protocol_errors_total{code="unknown-session"} 1.0',
        'decalage_protocol_errors_total{code="bad-message"} 1.0',
    }


@pytest.mark.parametrize(
    "path",
    [
        "/static/../web.py",
        "/static/..%2fweb.py",
        "/static/%2e%2e/web.py",
        "/static/..%5cweb.py",
        "/static//etc/passwd",
        "/static/%2fetc/passwd",
        "/static/....//....//etc/passwd",
        "/static/%00",
        "/static/page.css%00",
        "/static/" + "a" * 5_000,
        "/static/",
        "/static/.",
    ],
)
@on_loop
async def test_nothing_beside_the_page_is_served(path: str) -> None:
    async with served() as server:
        answer = await server.asked(f"GET {path} HTTP/1.1", "Host: localhost")
    assert answer.split(b" ", 2)[1] in (b"404", b"405"), answer[:200]
    assert b"root:" not in answer
    assert b"import" not in answer


@pytest.mark.parametrize(
    "request_",
    [
        ["GET / HTTP/9.9", "Host: a"],
        ["GET /\x00 HTTP/1.1", "Host: a"],
        ["\x00\x01\x02"],
        ["GET / HTTP/1.1", "Host: a", "X: " + "y" * 40_000],
        ["GET / HTTP/1.1", "Host: a", "Host: b"],
        ["GET http:// HTTP/1.1", "Host: localhost"],
        ["POST /v1/translate HTTP/1.1", "Host: localhost", "Content-Length: -1"],
        ["POST /v1/translate HTTP/1.1", "Host: localhost", "Transfer-Encoding: chunked", "", "zz"],
    ],
    ids=range(8),
)
@on_loop
async def test_what_is_no_request_is_refused(request_: list[str]) -> None:
    async with served() as server:
        answer = await server.asked(*request_)
        assert answer.split(b" ", 2)[1][:1] == b"4", answer[:200]
        await server.serves()


class _Unwell(PipelineRuntime):
    def statistics(self) -> RuntimeStatistics:
        raise ZeroDivisionError("inside")


@on_loop
async def test_a_defect_is_answered_as_safely_as_the_rest(caplog: pytest.LogCaptureFixture) -> None:
    booth = FakeBooth(_Unwell(FakeBlueprint(), RuntimeOptions()))
    async with served(booth) as server, asking(server) as http:
        answer = await http.get("/metrics")
        assert (answer.status_code, answer.text) == (500, "Internal Server Error")
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        await server.serves()
    assert "inside" in caplog.text


# What is to be kept, and passed on


@on_loop
async def test_a_transcript_is_a_subtitle_file_that_others_read() -> None:
    async with served() as server, asking(server) as http:
        ready = await spoke(server, 7, 8, to=["pt", "es"])
        path = f"/v1/sessions/{ready['listen_id']}/transcript"
        for form, kind in (("srt", "application/x-subrip"), ("vtt", "text/vtt")):
            answer = await http.get(path, params={"format": form, "to": "es"})
            assert answer.headers["content-type"].split(";")[0] == kind
            assert answer.headers["content-disposition"] == f'attachment; filename="captions.es.{form}"'
            assert answer.headers["cache-control"] == "no-store"
            cues = pysubs2.SSAFile.from_string(answer.text, format_=form)
            assert [(cue.plaintext, cue.start) for cue in cues] == [("es:word 7", 0), ("es:word 8", 300)]
        both = (await http.get(path, params={"format": "txt", "show": "both"})).text
        assert both.index("word 7") < both.index("pt:word 7") < both.index("word 8")
        lines = (await http.get(path, params={"format": "jsonl"})).text.splitlines()
        events = [json.loads(line) for line in lines]
        assert [event["type"] for event in events] == ["start", "caption", "caption", "summary"]
        for form in ("srt", "vtt", "txt", "jsonl"):
            assert ready["session"] not in (await http.get(path, params={"format": form})).text


@pytest.mark.parametrize(
    ("query", "status"),
    [("format=exe", 400), ("show=all", 400), ("to=english", 400), ("format=../srt", 400), ("to=fr", 404)],
)
@on_loop
async def test_a_transcript_that_cannot_be_had_is_refused(query: str, status: int) -> None:
    async with served() as server, asking(server) as http:
        ready = await spoke(server, 7)
        path = f"/v1/sessions/{ready['listen_id']}/transcript"
        assert (await http.get(f"{path}?{query}")).status_code == status
        for name in (ready["session"], "x", "%2e%2e", "a" * 4_000):
            assert (await http.get(f"/v1/sessions/{name}/transcript")).status_code == 404


@on_loop
async def test_the_qr_code_is_of_the_link_to_read_along() -> None:
    async with served() as server, asking(server) as http:
        ready = await spoke(server, 7)
        answer = await http.get(f"/v1/sessions/{ready['listen_id']}/qr.svg?to=pt-BR")
        link = f"{server.url}?listen={quote(ready['listen_id'])}&to=pt"
        picture = io.BytesIO()
        segno.make(link, error="m", micro=False).save(
            picture, kind="svg", scale=6, border=4, dark="#000", light="#fff", xmldecl=False
        )
        assert answer.headers["content-type"] == "image/svg+xml"
        assert answer.content == picture.getvalue()
        assert (await http.get("/v1/sessions/x/qr.svg")).status_code == 404


@pytest.mark.parametrize("host", ["x" * 5_000, "a" * 300, "", "%", "[", "a b"], ids=range(6))
@on_loop
async def test_a_name_of_which_no_qr_code_can_be_made_is_refused(host: str) -> None:
    async with served(door=Door(hosts=None)) as server:
        ready = await spoke(server, 7)
        path = f"/v1/sessions/{ready['listen_id']}/qr.svg"
        answer = await server.asked(f"GET {path} HTTP/1.1", f"Host: {host}")
    assert answer.split(b" ", 2)[1] in ((b"200", b"400") if len(host) < 9 else (b"400",)), answer[:300]


# Where it listens


def certificate(folder: Path, require: Callable[[bool, str, str], None]) -> tuple[Path, Path]:
    """One for this machine, and its key."""
    made = folder / "certificate.pem", folder / "key.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-out", str(made[0]), "-keyout", str(made[1])]
    try:
        done = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        done = False
    require(done, "openssl", "install it with the system's package manager")
    return made


@on_loop
async def test_with_a_certificate_it_serves_https_and_wss(
    tmp_path: Path, require: Callable[[bool, str, str], None]
) -> None:
    file, key = certificate(tmp_path, require)
    trusted = trusting(str(file))
    async with served(address=Address(port=0, certificate=file, key=key)) as server:
        assert server.url.startswith("https://127.0.0.1:")
        async with asking(server, verify=trusted) as http:
            answer = await http.get("/v1/info")
            assert answer.status_code == 200
            assert answer.headers["strict-transport-security"] == "max-age=31536000"
        async with server.client(ssl=trusted) as client:
            await client.send('{"type":"config","version":1,"encoding":"pcm_f32le"}', spoken(7), END)
            assert (await client.rest())[0] == 1000
            assert len(client.all("caption")) == 1
        async with server.raw(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n") as (reader, _):
            assert b"HTTP" not in await reader.read()
        with pytest.raises(ssl.SSLError):
            async with server.client(ssl=ssl.create_default_context()):
                pass


def test_a_certificate_that_is_none_is_told(tmp_path: Path) -> None:
    booth = fake_booth()
    (tmp_path / "c.pem").write_text("no certificate", "utf-8")
    with pytest.raises(UsageError, match=r"c\.pem with its key cannot be used for TLS"):
        Running(Service(booth, Door()), Address(certificate=tmp_path / "c.pem", key=tmp_path / "none.pem"))
    booth.close()


@on_loop
async def test_a_unix_socket_serves_its_group_and_is_gone_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))  # of a server that was killed
    async with served(address=Address(uds=path), door=Door(hosts=None)):
        assert path.stat().st_mode & 0o777 == 0o660
        transport = httpx.AsyncHTTPTransport(uds=str(path))
        async with httpx.AsyncClient(transport=transport, base_url="http://decalage") as http:
            assert (await http.get("/readyz")).text == "ok"
            assert "strict-transport-security" not in (await http.get("/readyz")).headers
            answer = await http.get("/readyz", headers={"x-forwarded-proto": "https"})
            assert "strict-transport-security" in answer.headers  # the scheme a proxy was asked by
        with pytest.raises(UsageError, match="is taken by another program"), listening(Address(uds=path)):
            pass
    assert not path.exists()


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("mine", "utf-8")
    with pytest.raises(UsageError, match=r"notes\.txt"), listening(Address(uds=path)):
        pass
    assert path.read_text("utf-8") == "mine"


@pytest.mark.parametrize("host", ["256.1.1.1", "no-such-name.invalid", ""])
def test_where_it_cannot_listen_is_told_in_one_line(host: str) -> None:
    address = Address(host=host or "192.0.2.1", port=0)
    with pytest.raises(UsageError, match="cannot listen at") as caught, listening(address):
        pass
    assert "\n" not in str(caught.value)


FEW_FILES = """
import resource
from decalage.app.server.door import Door
from decalage.app.server.running import Address, Running
from decalage.app.server.web import Service
from tests.app.server_kit import fake_booth
resource.setrlimit(resource.RLIMIT_NOFILE, (256, {hard}))
booth = fake_booth()
running = Running(Service(booth, Door()), Address(port=0))
booth.close()
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0], running.config.http.patience.connections)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="has no such limit")
@pytest.mark.parametrize(("hard", "told"), [(4096, "2700 2500"), (1000, "1000 800")])
def test_there_are_no_more_connections_than_there_may_be_files(hard: int, told: str) -> None:
    """Where shells give a program 256 or 1024, the server asks for what it needs."""
    done = subprocess.run(
        [sys.executable, "-c", FEW_FILES.format(hard=hard)], capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.stderr) == (told, "")


# The command


def said(done: subprocess.CompletedProcess[str]) -> tuple[int, str]:
    """Exit code and the one line."""
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    return done.returncode, line


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--host", "0.0.0.0"], "add --token SECRET, or --open"),  # noqa: S104 - refused
        (["--host", "::"], "add --token SECRET, or --open"),
        (["--host", "192.0.2.1", "--port", "0"], "other machines reach --host 192.0.2.1"),
        (["--token", ""], "the token is blank"),
        (["--token", " "], "the token is blank"),
        (["--open", "--token", ""], "the token is blank"),
        (["--uds", "s"], "add --token SECRET, or --allow-host NAME (or --open)"),
        (["--tls-cert", "c.pem"], "--tls-cert and --tls-key go together"),
        (["--port", "70000"], "--port"),
        (["--sessions", "0"], "--sessions"),
        (["--to", "xx"], "xx"),
        (["--from", "english"], "is not a language code"),
        (["--log-format", "xml"], "--log-format"),
        (["--idle-limit", "-1"], "--idle-limit"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_served_is_refused_with_one_line(arguments: list[str], told: str) -> None:
    code, line = said(run("serve", *arguments))
    assert code == 2
    assert told in line


@pytest.mark.parametrize("token", ["", " \t"])
def test_a_blank_token_is_refused_wherever_it_stands(token: str, tmp_path: Path) -> None:
    settings = tmp_path / "decalage.toml"
    settings.write_text(f"token = {json.dumps(token)}\n", "utf-8")
    for done in (run("serve", DECALAGE_TOKEN=token), run("serve", "--config", str(settings))):
        code, line = said(done)
        assert code == 2
        assert "the token is blank" in line


def test_a_unix_socket_is_refused_before_models_load_where_there_are_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delattr(socket, "AF_UNIX")  # as on Windows
    code, line = refused(capsys, "serve", "--uds", "s", "--token", "x", "--model", "no/such/model")
    assert code == 2
    assert "there are no Unix sockets on this system" in line


def serving(*arguments: str) -> Serving:
    """What the command line says to the server itself."""
    chosen = serve.make_context("serve", list(arguments)).params
    return Serving(**{name: chosen[name] for name in Serving.__slots__})


HERE = ("localhost", "LOCALHOST:8765", "127.0.0.1:1", "[::1]:1", "localhost.")
ADDRESSES = ("192.0.2.7", "192.0.2.7:8765", "[2001:db8::1]:8765")
MACHINE = (socket.gethostname(), f"{socket.gethostname().upper()}:8765")
NAMED = ("talks.example", "Talks.Example:443", "talks.example.")
STRANGE = ("evil.example", "talks.example.evil.example", "1.2.3.4.evil.example", "", "[", "a b")
ANYWHERE = ("--host", "0.0.0.0")  # noqa: S104 - read, not bound
ALLOW = ("--allow-host", "Talks.Example")


@pytest.mark.parametrize(
    ("arguments", "known"),
    [
        ((), HERE),
        (("--host", "127.0.0.5"), (*HERE, "127.0.0.5:1")),
        (("--host", "::1"), HERE),
        (ALLOW, HERE + NAMED),
        (("--open",), HERE + ADDRESSES + MACHINE),
        ((*ANYWHERE, "--open"), HERE + ADDRESSES + MACHINE),
        ((*ANYWHERE, "--open", *ALLOW), HERE + ADDRESSES + NAMED),
        ((*ANYWHERE, "--token", "x", *ALLOW), HERE + ADDRESSES + NAMED),
        (("--token", "x", *ALLOW), HERE + NAMED),
        (("--uds", "s", *ALLOW), HERE + NAMED),
        (("--uds", "s", "--token", "x", *ALLOW), HERE + NAMED),
        (("--uds", "s", "--open"), HERE + ADDRESSES + MACHINE),
        (("--allow-host", "", "--open"), HERE + ADDRESSES),
        (("--token", "x"), HERE + ADDRESSES + MACHINE + NAMED + STRANGE),
        ((*ANYWHERE, "--token", "x", "--open"), HERE + ADDRESSES + MACHINE + NAMED + STRANGE),
    ],
    ids=lambda value: " ".join(value) if "--" in str(value) else "",
)
def test_the_server_goes_by_the_names_it_was_given(
    arguments: tuple[str, ...], known: tuple[str, ...]
) -> None:
    door = door_of(serving(*arguments))
    names = {*HERE, *ADDRESSES, *MACHINE, *NAMED, *STRANGE, *known}
    assert {name for name in names if door.knows_host(name)} == set(known)


@pytest.mark.real
def test_the_command_serves_until_it_is_told_to_stop_and_nobody_else_has_its_port() -> None:
    command = [sys.executable, "-m", "decalage", "serve", "--port", "0", "--model", "tiny.en"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            line = next(line for line in process.stderr if "serving at" in line)
            url = line.split("serving at ")[1].strip()
            port = url.rstrip("/").rsplit(":", 1)[1]
            second = run("serve", "--port", port, "--model", "tiny.en")
            assert (second.returncode, second.stdout) == (2, "")
            assert f"127.0.0.1 port {port} is taken by another program" in second.stderr.splitlines()[-1]
            assert "Traceback" not in second.stderr
            assert httpx.get(f"{url}readyz", trust_env=False).text == "ok"
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=30)
            assert (process.returncode, out) == (130, "")
        finally:
            process.kill()
