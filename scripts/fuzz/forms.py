"""Forms over HTTP: multipart bodies, and the fields of OpenAI's audio API."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.types import Message

from decalage.app.server.forms import received_form
from decalage.app.server.openai_form import FORMS, STREAMED, Task, asked
from decalage.app.server.refusals import RefusedError, refused
from decalage.app.server.uploads import FileLimits
from decalage.errors import UsageError
from scripts.fuzz.choices import Choices, hold
from scripts.fuzz.target import Target

_LIMITS = FileLimits(upload_bytes=2_000)
_TYPE = "multipart/form-data; boundary=b"


@dataclass
class _Received:
    """A form as it came out."""

    name: str
    content: bytes
    fields: list[tuple[str, str]] = field(default_factory=list)


def _request(content_type: str, body: bytes, size: int) -> Request:
    """A request whose body comes in pieces of ``size`` bytes."""

    def pieces() -> Iterator[Message]:
        for at in range(0, len(body), size):
            yield {"type": "http.request", "body": body[at : at + size], "more_body": True}
        yield {"type": "http.request", "body": b""}

    coming = pieces()

    async def receive() -> Message:
        return next(coming)

    headers = [(b"content-type", content_type.encode("latin-1", "replace"))]
    return Request({"type": "http", "method": "POST", "headers": headers, "query_string": b""}, receive)


async def _taken(content_type: str, body: bytes, size: int) -> _Received | RefusedError:
    try:
        async with received_form(_request(content_type, body, size), _LIMITS) as upload:
            return _Received(upload.name, upload.path.read_bytes(), list(upload.fields))
    except RefusedError as error:
        return error


def _part(name: str, content: bytes, file: str | None = None) -> bytes:
    named = f'; filename="{file}"' if file is not None else ""
    return f'--b\r\ncontent-disposition: form-data; name="{name}"{named}\r\n\r\n'.encode() + content + b"\r\n"


def form(data: bytes) -> None:
    """A multipart body: the file and fields that were put in it, however it is cut up, or a refusal."""
    choices = Choices(data)
    size = 1 + choices.below(64)
    if not choices.below(2):
        content_type = _TYPE if choices.below(4) else choices.text(60)
        body = choices.rest()
        _hold_alike(content_type, body, size)
        return
    fields = [(f"f{number}", choices.text(12).replace("\ud800", "")) for number in range(choices.below(5))]
    content = choices.rest()
    parts = [_part(name, value.encode()) for name, value in fields]
    parts.insert(len(fields) // 2, _part("file", content, "talk.flac"))
    found = asyncio.run(_taken(_TYPE, b"".join(parts) + b"--b--\r\n", size))
    if any(b"\r\n--b" in part for part in (content, *(value.encode() for _, value in fields))):
        return  # it ends a part, wherever it stands
    hold(isinstance(found, _Received), found)
    if isinstance(found, _Received):
        hold((found.name, found.content, found.fields) == ("talk.flac", content, fields), found)


def _hold_alike(content_type: str, body: bytes, size: int) -> None:
    """In one piece and in several it is the same form, or refused."""
    found = asyncio.run(_taken(content_type, body, size))
    if isinstance(found, RefusedError):
        hold(found.status in (400, 413, 415) and len(str(found)) <= 400, found)
        return
    hold(
        len(found.content) + sum(len(name) + len(value) for name, value in found.fields) <= 3 * len(body),
        found,
    )
    hold(found == asyncio.run(_taken(content_type, body, len(body))), found)
    hold(found.name.isprintable() or "\xa0" in found.name or not found.name.isascii(), found.name)


_NAMES = (
    "model",
    "response_format",
    "language",
    "prompt",
    "temperature",
    "stream",
    "timestamp_granularities[]",
)
_VALUES = (
    "verbose_json",
    "text",
    "srt",
    "word",
    "segment",
    "true",
    "1",
    "nan",
    "1e400",
    "auto",
    "en",
    "pt-BR",
    "",
)


def openai_form(data: bytes) -> None:
    """The fields of a request: something that can be done, or a refusal of 400 in one short line."""
    choices = Choices(data)
    task: Task = "translate" if choices.below(2) else "transcribe"
    fields = [
        (
            choices.pick(_NAMES) if choices.below(8) else choices.text(),
            choices.pick(_VALUES) if choices.below(3) else choices.text(200),
        )
        for _ in range(choices.below(8))
    ]
    try:
        found = asked(task, fields)
    except (RefusedError, UsageError) as error:
        refusal = refused(error)
        hold(refusal.status == 400 and len(str(refusal)) <= 400, refusal)
        refusal.response()
        return
    hold(found.form in FORMS and found.task == task, found)
    hold(found.prompt is None or 1 <= len(found.prompt) <= 400, found)
    hold(not found.stream or (found.form in STREAMED and task == "transcribe"), found)
    hold(found.words <= (found.form == "verbose_json"), found)


_WHOLE = b"".join(
    (_part("model", b"w"), _part("file", b"fLaC", "a.flac"), _part("prompt", b"Ada"), b"--b--\r\n")
)

TARGETS = (
    Target(
        "form",
        form,
        (b"\7\0\1" + _WHOLE, b"\7\1\2\3abc\2xycontent\r\n--"),
        (
            "--b",
            "\r\n",
            "content-disposition: form-data; name=",
            '"file"',
            "; filename=",
            "filename*=utf-8''",
            "--b--",
        ),
    ),
    Target("openai-form", openai_form, (b"\0\3\1\1\1\0\1\2\1\1", b"\1\1\0\5hello\0\4word"), _NAMES + _VALUES),
)
