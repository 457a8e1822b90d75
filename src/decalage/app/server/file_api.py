"""The routes that take files, and those that tell of them."""

from __future__ import annotations

from starlette.routing import Route

from decalage.app.server.booth import Booth
from decalage.app.server.file_desk import FileDesk, FileEndpoint
from decalage.app.server.openai_api import model_routes, speech
from decalage.app.server.openapi import openapi
from decalage.app.server.translate_api import translate
from decalage.app.server.uploads import FileLimits


def file_routes(booth: Booth, limits: FileLimits, desk: FileDesk | None = None) -> list[Route]:
    """All routes for files; they share ``desk``, one of their own by default.

    Nothing is asked here of who may come: a middleware does, before a byte of the file is read.
    """
    desk = desk or FileDesk(booth, limits)
    answers = {
        "/v1/audio/transcriptions": speech("transcribe"),
        "/v1/audio/translations": speech("translate"),
        "/v1/translate": translate,
    }
    posts = [Route(path, FileEndpoint(desk, answer), methods=["POST"]) for path, answer in answers.items()]
    return [*posts, *model_routes(booth), Route("/openapi.json", openapi)]
