"""What a browser loads: the page, the overlay, what they ask, and transcripts to keep."""

from __future__ import annotations

import io
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from urllib.parse import urlencode

import segno
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from decalage.app.outputs import as_text
from decalage.app.server.booth import Booth
from decalage.app.server.hall import Hall
from decalage.app.server.off_loop import off_loop
from decalage.app.server.protocol import VERSION, ProtocolError
from decalage.errors import UsageError
from decalage.events import Caption
from decalage.languages import primary
from decalage.sinks.captions import Show

STATIC = Path(__file__).parent / "static"

_TYPES = {
    "srt": "application/x-subrip",
    "vtt": "text/vtt",
    "txt": "text/plain",
    "jsonl": "application/x-ndjson",
}
_LINK_LETTERS = 300
"""A QR code of more is a wall to a phone, and the name in it is whatever the client says."""
_SHOWS: dict[str, Show] = {"source": "source", "target": "target", "both": "both"}


class Pages:
    """The routes of the page and of what it asks. Nothing is sent to, or loaded from, anywhere else."""

    def __init__(self, hall: Hall, booth: Booth, *, token: bool, journal: bool) -> None:
        self._hall = hall
        self._languages = booth.languages()
        options = {"from": booth.settings.source, "to": list(booth.settings.targets)}
        self._info = {"protocol": VERSION, "defaults": options, "token": token, "journal": journal}

    def routes(self) -> list[BaseRoute]:
        """All of them."""
        return [
            Route("/", _file("index.html")),
            Route("/overlay", _file("overlay.html")),
            Mount("/static", StaticFiles(directory=STATIC), name="static"),
            Route("/v1/info", self._tell),
            Route("/v1/sessions/{listen_id}/transcript", self._transcript),
            Route("/v1/sessions/{listen_id}/qr.svg", self._qr),
        ]

    async def _tell(self, _request: Request) -> Response:
        limits = asdict(self._hall.limits)
        return JSONResponse({**self._info, "languages": self._languages, "limits": limits})

    async def _transcript(self, request: Request) -> Response:
        """Everything settled so far; 404 for a session that is not known, 400 for another format."""
        form = request.query_params.get("format", "srt")
        show = _SHOWS.get(request.query_params.get("show", "target"))
        if form not in _TYPES or show is None:
            return _refused(400, f"format is one of {', '.join(_TYPES)}, show one of {', '.join(_SHOWS)}")
        try:
            session = self._hall.find(request.path_params["listen_id"])
            language = primary(request.query_params["to"]) if request.query_params.get("to") else None
        except ProtocolError as error:
            return _refused(404, str(error))
        except UsageError as error:
            return _refused(400, str(error))
        events = list(session.replay.settled())
        there = {code for event in events if isinstance(event, Caption) for code in event.text}
        if language is not None and there and language not in there:
            known = ", ".join(sorted(there))
            return _refused(404, f"nothing was captioned in {language!r}; there is {known}")
        text = await off_loop(as_text, events, form, show, language)
        name = f"captions.{language + '.' if language else ''}{form}"
        return Response(
            text,
            media_type=_TYPES[form],
            headers={"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"},
        )

    async def _qr(self, request: Request) -> Response:
        """The link to read along, as this client knows the server."""
        try:
            session = self._hall.find(request.path_params["listen_id"])
            target = primary(request.query_params["to"]) if request.query_params.get("to") else None
        except (ProtocolError, UsageError) as error:
            return _refused(404, str(error))
        query = {"listen": session.names.listen_id, **({"to": target} if target else {})}
        link = f"{request.url.scheme}://{request.url.netloc}/?{urlencode(query)}"
        if len(link) > _LINK_LETTERS:
            return _refused(400, f"a link of {len(link)} letters is too long for a QR code")
        picture = io.BytesIO()
        segno.make(link, error="m", micro=False).save(
            picture, kind="svg", scale=6, border=4, dark="#000", light="#fff", xmldecl=False
        )
        headers = {"cache-control": "no-store"}
        return Response(picture.getvalue(), media_type="image/svg+xml", headers=headers)


def _file(name: str) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint that gives a file of the page."""

    async def endpoint(_request: Request) -> Response:
        return FileResponse(STATIC / name, headers={"cache-control": "no-cache"})

    return endpoint


def _refused(status: int, message: str) -> Response:
    return JSONResponse({"error": {"message": message}}, status)
