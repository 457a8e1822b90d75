"""OpenAI's audio API: a program written for it needs another address, nothing else.

``POST /v1/audio/transcriptions`` gives the text in the language spoken, ``/v1/audio/translations`` in
English. What such a program expects is all of the text or an error, so:

==== ===================== =================================================================
400  ``damaged_audio``     the file stops decoding part of the way
400  ``unreadable_audio``  it has no sound, or is none of the containers that are taken
400  ``invalid_value`` …   a field that says what cannot be done
413  ``too_big`` …         more bytes, or more hours, than are taken
429  ``busy``              too many files already; ``Retry-After`` says when to ask again
500  ``incomplete``        some of the speech could not be recognized or translated: says where
503  ``stopping``          the server is about to stop
==== ===================== =================================================================

With ``stream`` the text before the trouble has been sent, and ``{"error": …}`` comes in place of
``transcript.text.done``. Whoever wants what could be heard of a damaged file asks for that, or for
``POST /v1/translate``. Sound that was no speech is no error: the text is empty.

Unlike OpenAI's: ``model`` is not looked at; a file may have any size that the server takes; prompts are
heeded in their last 400 letters; ``avg_logprob`` and ``no_speech_prob`` of a segment are 0, its tokens
none; ``language`` is heeded by translations too.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from decalage.app.server.booth import Booth
from decalage.app.server.file_desk import Answering, FileDesk, Reply, while_connected
from decalage.app.server.forms import received_form
from decalage.app.server.off_loop import off_loop
from decalage.app.server.openai_answer import Heard
from decalage.app.server.openai_form import Asked, Task, asked
from decalage.app.server.refusals import RefusedError, stopping
from decalage.app.server.uploads import Upload

_EVERYBODYS = "whisper-1"
"""The name of a model that clients know and ask for."""


def speech(task: Task) -> Answering:
    """Answers a request to transcribe or to translate."""

    async def answer(desk: FileDesk, request: Request, reply: Reply) -> Response | None:
        async with received_form(request, desk.limits) as upload:
            wanted = asked(task, upload.fields)
            return await while_connected(request, _answered(desk, upload, wanted, reply))

    return answer


def model_routes(booth: Booth) -> list[Route]:
    """``GET /v1/models`` and ``/v1/models/{id}``: the model that is here, by its name and OpenAI's."""
    since = int(time.time())
    names = dict.fromkeys((Path(booth.settings.model).name, _EVERYBODYS))
    models = {
        name: {"id": name, "object": "model", "created": since, "owned_by": "decalage"} for name in names
    }

    async def several(_request: Request) -> Response:
        return JSONResponse({"object": "list", "data": list(models.values())})

    async def one(request: Request) -> Response:
        name = request.path_params["id"]
        if name in models:
            return JSONResponse(models[name])
        told = f"no model {name[:40]!r}; there are {', '.join(models)}"
        return RefusedError(404, told, "model_not_found", param="model").response()

    return [Route("/v1/models", several), Route("/v1/models/{id}", one)]


async def _answered(desk: FileDesk, upload: Upload, wanted: Asked, reply: Reply) -> Response | None:
    wish, options = wanted.settled(desk.booth)
    heard = Heard(wanted)
    async with desk.hearing(upload, wish, options) as session:
        if wanted.stream:
            await reply.begin("text/event-stream; charset=utf-8")
        async for event in session:
            added = heard.add(event)
            if wanted.stream and added:
                await reply.write(_data({"type": "transcript.text.delta", "delta": added}))
    trouble = heard.trouble()
    if trouble is not None and desk.closed:
        trouble = stopping()  # what failed, failed of that
    if not wanted.stream:
        return await off_loop(heard.response) if trouble is None else trouble.response()
    if trouble is not None:
        await reply.write(_data(trouble.body()))
        return None
    await reply.write(_data({"type": "transcript.text.done", "text": heard.text}))
    await reply.write("data: [DONE]\n\n")
    return None


def _data(body: object) -> str:
    """A server-sent event."""
    return f"data: {json.dumps(body, ensure_ascii=False)}\n\n"
