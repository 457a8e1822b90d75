"""What a file or a stream may have opened, and how much memory it may take."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from decalage.audio import SAMPLE_RATE
from decalage.errors import InputError
from decalage.sources.file import FileSource, without_password
from decalage.sources.reach import TRACKS
from decalage.sources.url import UrlSource
from tests.sources.film_kit import claiming

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="memory is told otherwise there")
HOURS = 12
RATE = 48_000


class Folder(SimpleHTTPRequestHandler):
    """Serves a folder without a word."""

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def serving(
    folder: Path, certificate: tuple[Path, Path] | None = None, handler: type[Folder] = Folder
) -> Iterator[str]:
    """The address of a server of ``folder``."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder))) as server:
        server.handle_error = lambda *_: None  # type: ignore[method-assign] # who does not trust it leaves
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"{'http' if certificate is None else 'https'}://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def sound(path: Path) -> Path:
    """A second of it, in a container that segments have."""
    with av.open(str(path), "w", format="mpegts") as container:
        stream = container.add_stream("mp2", rate=RATE)
        stream.layout = "mono"
        tone = np.full((1, RATE), 8000, np.int16)
        frame = av.AudioFrame.from_ndarray(tone, format="s16", layout="mono")
        frame.sample_rate = RATE
        for ready in (frame, None):
            container.mux(stream.encode(ready))
    return path


def heard_s(given: str | Path) -> float:
    return sum(len(chunk.samples) for chunk in FileSource(str(given))) / SAMPLE_RATE


def playlist(segment: str, key: str = "") -> str:
    return f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n{key}\n#EXTINF:1,\n{segment}\n#EXT-X-ENDLIST\n"


def script(segment: str) -> str:
    return f"ffconcat version 1.0\nfile '{segment}'\n"


def call(host: str) -> str:
    """A session description: opened, it listens and sends."""
    return f"v=0\no=- 0 0 IN IP4 {host}\ns=x\nc=IN IP4 {host}\nt=0 0\nm=audio 5004 RTP/AVP 0\n"


def variants(address: str) -> str:
    return f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{address}/list.m3u8\n"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("rtsp://me:open sesame@camera/1", "rtsp://me:…@camera/1"),
        ("https://me:p@ss:word@host/a?b=c@d:e@f", "https://me:…@host/a?b=c@d:e@f"),
        ("http://:secret@host", "http://:…@host"),
        ("http://me@host:80/a", "http://me@host:80/a"),
        ("http://host:80/a:b@c", "http://host:80/a:b@c"),
        ("talk:1@2.wav", "talk:1@2.wav"),
    ],
)
def test_an_address_is_told_without_its_password(given: str, told: str) -> None:
    assert without_password(given) == told


def test_a_password_goes_to_the_host_and_into_no_message_and_no_name(tmp_path: Path) -> None:
    sound(tmp_path / "a.ts")
    came: list[str | None] = []

    class Asking(Folder):
        def do_GET(self) -> None:
            came.append(self.headers["Authorization"])
            if came[-1] is None:
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="x"')
                self.end_headers()
            else:
                super().do_GET()

    with serving(tmp_path, handler=Asking) as address:
        given = address.replace("://", "://me:sesame@")
        source = UrlSource(f"{given}/a.ts")
        assert sum(len(chunk.samples) for chunk in source) > SAMPLE_RATE // 2
        assert "sesame" not in f"{source.name}{source!r}"
        with pytest.raises(InputError) as refused:
            UrlSource(f"{given}/b.ts")
    assert came[-1] == f"Basic {b64encode(b'me:sesame').decode()}"
    assert "sesame" not in str(refused.value)


OPENED = """
import resource, sys
import av.buffer
from decalage.errors import InputError
from decalage.sources.file import FileSource

def peak():
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1 << 20 if sys.platform == "darwin" else 1 << 10)

before = peak()
try:
    FileSource(sys.argv[1], sound_only=sys.argv[2] == "True", called="talk")
except InputError as error:
    print(error, file=sys.stderr)
print(peak() - before)
"""


def opened(path: Path, *, strange: bool = True) -> tuple[float, str]:
    """What opening ``path`` adds to the memory of a process of its own, in MB, and why it is refused."""
    command = [sys.executable, "-c", OPENED, str(path), str(strange)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    return float(done.stdout), done.stderr.strip()


CALLING: dict[str, Callable[[str], str]] = {
    "segment.m3u8": lambda address: playlist(f"{address}/a.ts"),
    "key.m3u8": lambda address: playlist("a.ts", f'#EXT-X-KEY:METHOD=AES-128,URI="{address}/key"'),
    "variants.m3u8": variants,
    "script.ffconcat": lambda address: script(f"{address}/a.ts"),
    "call.sdp": lambda _: call("127.0.0.1"),
}


@pytest.mark.parametrize("name", CALLING)
@pytest.mark.parametrize("strange", [False, True], ids=["own", "strange"])
def test_a_file_reaches_no_host(tmp_path: Path, name: str, strange: bool) -> None:
    sound(tmp_path / "a.ts")
    path = tmp_path / name
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        path.write_text(CALLING[name](f"http://127.0.0.1:{listening.getsockname()[1]}"))
        assert "cannot be opened as sound" in opened(path, strange=strange)[1]
        with pytest.raises(BlockingIOError):  # nobody has connected
            listening.accept()


NAMING: dict[str, Callable[[Path], str]] = {
    "address.m3u8": lambda path: playlist(path.as_uri()),
    "path.m3u8": lambda path: playlist(str(path)),
    "script.ffconcat": lambda path: script(str(path)),
    "address.ffconcat": lambda path: script(path.as_uri()),
}


@pytest.mark.parametrize("name", NAMING)
def test_a_stream_of_the_network_reaches_no_file(tmp_path: Path, name: str) -> None:
    served, private = tmp_path / "served", tmp_path / "private"
    served.mkdir()
    private.mkdir()
    named = sound(private / "a.ts")
    (served / name).write_text(NAMING[name](named))
    with serving(served) as address, pytest.raises(InputError):
        FileSource(f"{address}/{name}")
    sound(served / "a.ts")
    (served / name).write_text(playlist("a.ts") if name.endswith("m3u8") else script("a.ts"))
    with serving(served) as address:
        assert heard_s(f"{address}/{name}") == pytest.approx(1, abs=0.1)


def test_a_stream_is_heard_from_a_host_whose_certificate_is_trusted_and_from_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, require: Callable[[bool, str, str], None]
) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    made = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-out", str(certificate)]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", str(key)]
    try:
        done = subprocess.run([*command, *made], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        done = False
    require(done, "openssl", "install it with the system's package manager")
    sound(tmp_path / "a.ts")
    with serving(tmp_path, (certificate, key)) as address:
        with pytest.raises(InputError, match="its certificate may not be trusted; SSL_CERT_FILE names"):
            FileSource(f"{address}/a.ts")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert heard_s(f"{address}/a.ts") == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("tracks", [1, TRACKS])
def test_tables_that_claim_years_of_sound_take_no_memory(tmp_path: Path, tracks: int) -> None:
    path = claiming(tmp_path / "a.mov", samples=(1 << 28) - 1, chunks=100, tracks=tracks)
    assert path.stat().st_size < 50_000
    grown, why = opened(path)
    assert why == "talk holds no sound that can be decoded; check the file"
    assert grown < 50


def test_the_most_that_tables_may_take_has_a_bound(tmp_path: Path) -> None:
    path = claiming(tmp_path / "a.mov", samples=HOURS * 3600 * RATE, tracks=TRACKS)
    assert opened(path)[0] < 1100


def test_twelve_hours_are_no_too_large_table(tmp_path: Path) -> None:
    path = claiming(tmp_path / "a.mov", samples=HOURS * 3600 * RATE)
    source = FileSource(str(path), sound_only=True)
    assert source.duration_s == pytest.approx(HOURS * 3600)
    assert next(iter(source)).first == 0


def test_a_strangers_file_has_sixteen_tracks_at_most_and_ones_own_any_number(tmp_path: Path) -> None:
    path = claiming(tmp_path / "a.mov", samples=2000, tracks=TRACKS)
    assert next(iter(FileSource(str(path), sound_only=True)))
    claiming(path, samples=2000, tracks=TRACKS + 1)
    with pytest.raises(InputError, match=r"^talk cannot be opened as sound: it has more than 16 tracks, or"):
        FileSource(str(path), sound_only=True, called="talk")
    assert next(iter(FileSource(str(path))))
