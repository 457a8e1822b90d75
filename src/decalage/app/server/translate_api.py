"""``POST /v1/translate``: a file as the body, its events as lines of JSON while they come."""

from __future__ import annotations

import json

from starlette.requests import Request

from decalage.app.server.booth import Wish
from decalage.app.server.file_desk import FileDesk, Reply, while_connected
from decalage.app.server.refusals import RefusedError
from decalage.app.server.uploads import Upload, received_body
from decalage.config import StreamOptions
from decalage.events import as_json

MEDIA_TYPE = "application/x-ndjson"


async def translate(desk: FileDesk, request: Request, reply: Reply) -> None:
    """``from`` and ``to`` as in the query, else the server's; ``name`` is what messages call the file.

    What fails in the middle is an event as any other, damage stands in the summary, which is the last
    line: an answer without one was cut off. What cannot be heard at all is refused before the first.
    """
    if request.headers.get("content-type", "").startswith("multipart/"):
        told = "the body is the file itself here: curl --data-binary @talk.flac; forms are for /v1/audio"
        raise RefusedError(415, told, "unsupported_media_type")
    query = request.query_params
    targets = tuple(filter(None, (target.strip() for target in query.get("to", "").split(","))))
    wish = Wish(source=query.get("from") or None, targets=targets or None, pace="max", partials=False)
    options = desk.booth.options(wish)
    async with received_body(request, desk.limits, query.get("name", "")) as upload:
        await while_connected(request, _told(desk, upload, wish, options, reply))


async def _told(desk: FileDesk, upload: Upload, wish: Wish, options: StreamOptions, reply: Reply) -> None:
    async with desk.hearing(upload, wish, options) as session:
        await reply.begin(MEDIA_TYPE)
        async for event in session:
            await reply.write(json.dumps(as_json(event), ensure_ascii=False) + "\n")
