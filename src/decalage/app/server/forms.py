"""A file in a multipart form, as OpenAI's API takes it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.requests import Request

from decalage.app.server.refusals import RefusedError
from decalage.app.server.uploads import FileLimits, Incoming, Spool, Upload, shown_name, spooling, suffix_of

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

_FORM_BYTES = 1 << 16
"""All of a form but its file."""
_PARTS = 100


@asynccontextmanager
async def received_form(request: Request, limits: FileLimits) -> AsyncIterator[Upload]:
    """The part ``file`` of a multipart form, and its fields, until the context ends.

    Other files in the form are skipped. Raises as ``received_body``, and 415 for another kind of body.
    """
    kind, options = parse_options_header(request.headers.get("content-type"))
    if kind.lower() != b"multipart/form-data":
        raise RefusedError(415, "the body must be multipart/form-data with a part named file", "no_form")
    incoming = Incoming(request, limits, beside=_FORM_BYTES)
    with spooling() as spool:
        form = Form(spool)
        try:
            parser = MultipartParser(options.get(b"boundary", b""), form.callbacks())
            while (piece := await incoming.piece()) is not None:
                parser.write(piece)
                await spool.settle()
        except FormParserError as error:
            raise RefusedError(400, f"the form cannot be read: {error}", "bad_form") from error
        await spool.finish()
        if not form.ended:
            raise RefusedError(400, "the form ends early", "bad_form")
        if form.name is None:
            raise RefusedError(400, "the form has no part named file", "no_file", param="file")
        yield Upload(spool.path, shown_name(form.name), form.fields)


class Form:
    """Told by a parser what stands in a form: the part ``file`` goes to a spool, text is kept."""

    def __init__(self, spool: Spool) -> None:
        self.fields: list[tuple[str, str]] = []
        self.name: str | None = None
        """Of the file, as the client gave it; None: there was none."""
        self.ended = False
        self._spool = spool
        self._parts = 0
        self._kept = 0
        self._header, self._value, self._disposition = bytearray(), bytearray(), b""
        self._field: tuple[str, bytearray] | None = None
        self._in_file = False

    def callbacks(self) -> MultipartCallbacks:
        """For ``MultipartParser``."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._keep(self._header, data[start:end]),
            "on_header_value": lambda data, start, end: self._keep(self._value, data[start:end]),
            "on_header_end": self._end_header,
            "on_headers_finished": self._open,
            "on_part_data": self._data,
            "on_part_end": self._close,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > _PARTS:
            raise RefusedError(400, f"the form has more than {_PARTS} parts", "bad_form")
        self._disposition = b""

    def _keep(self, where: bytearray, data: bytes) -> None:
        self._kept += len(data)
        if self._kept > _FORM_BYTES:
            told = f"the form has more than {_FORM_BYTES} bytes beside its file"
            raise RefusedError(413, told, "too_big")
        where += data

    def _end_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._header, self._value = bytearray(), bytearray()

    def _open(self) -> None:
        _, options = parse_options_header(self._disposition)
        field = options.get(b"name", b"").decode(errors="replace")
        name = options.get(b"filename", b"").decode(errors="replace")
        if field != "file":
            self._field = None if b"filename" in options else (field, bytearray())
            return
        if self.name is not None:
            raise RefusedError(400, "the form has two parts named file", "bad_form", param="file")
        self.name, self._in_file = name, True
        self._spool.open(suffix_of(name))

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            self._spool.add(data[start:end])
        elif self._field is not None:
            self._keep(self._field[1], data[start:end])

    def _close(self) -> None:
        if self._field is not None:
            self.fields.append((self._field[0], self._field[1].decode(errors="replace")))
        self._field, self._in_file = None, False

    def _end(self) -> None:
        self.ended = True
