"""A server with the hub's layout on this machine, holding a few bytes where models have many."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

COMMIT = "a" * 40
FILES = {
    "config.json": b"{}",
    "model.bin": b"w" * 1000,
    "tokenizer.json": b"{}",
    "vocabulary.txt": b"a\nb\n",
    "README.md": b"not wanted",
}


def _listing(path: str, files: Mapping[str, bytes]) -> object:
    if "/tree/" in path:
        return [
            {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}  # noqa: S324
            for name, data in files.items()
        ]
    return {"id": "x/y", "sha": COMMIT, "siblings": [{"rfilename": name} for name in files]}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    files: Mapping[str, bytes]

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        path = urlsplit(self.path).path
        name = path.partition(f"/resolve/{COMMIT}/")[2] or path.rsplit("/", 1)[1]
        if path.startswith("/api/models/"):
            status, body = 200, json.dumps(_listing(path, self.files)).encode()
        elif name in self.files:
            status, body = 200, self.files[name]
        else:
            status, body = 404, b"{}"
        self.send_response(status)
        self.send_header("ETag", f'"{hashlib.sha1(body).hexdigest()}"')  # noqa: S324 - the hub's choice
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        return


@contextmanager
def hub(files: Mapping[str, bytes] = FILES) -> Iterator[str]:
    """The address of a server with ``files`` in each repository, that runs while the block does."""
    handler = type("Handler", (_Handler,), {"files": files})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
