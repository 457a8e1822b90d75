"""``GET /openapi.json``: the HTTP requests of docs/protocol.md in OpenAPI 3.1."""

from __future__ import annotations

from functools import cache
from importlib import metadata
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from decalage.app.server.openai_form import FORMS, GRANULARITIES

Json: TypeAlias = dict[str, object]

_TOKEN: list[Json] = [{"token": []}]


async def openapi(_request: Request) -> Response:
    """The route's endpoint."""
    return JSONResponse(document())


@cache
def document() -> Json:
    """The whole description."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "décalage",
            "version": metadata.version("decalage"),
            "description": "Live speech translation. Live sound goes over a WebSocket, /v1/stream.",
        },
        "paths": {**_pages(), **_sessions(), **_files(), **_models(), **_operation()},
        "components": {
            "schemas": _SCHEMAS,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _pages() -> Json:
    html: Json = {"text/html": {}}
    listen = _query("listen", "LISTEN_ID of a session to read along", _TEXT)
    return {
        "/": _get("The page: speak, drop a file, or read along", html, [listen, _TO]),
        "/overlay": _get(
            "Captions alone, for OBS or a projector; styled by the query",
            html,
            [_query("session", "LISTEN_ID", _TEXT, required=True), _TO],
        ),
    }


def _sessions() -> Json:
    listen_id: Json = {"name": "listen_id", "in": "path", "required": True, "schema": _TEXT}
    form = _query("format", "of the transcript", {"enum": ["srt", "vtt", "txt", "jsonl"]})
    show = _query("show", "which of the texts", {"enum": ["source", "target", "both"]})
    transcript: Json = {"text/plain": {}, "text/vtt": {}, "application/x-ndjson": {}}
    return {
        "/v1/info": _get("Languages, limits and defaults of this server", {"application/json": {}}),
        "/v1/sessions/{listen_id}/transcript": _get(
            "What was captioned so far", transcript, [listen_id, form, show, _TO], fails=(404,)
        ),
        "/v1/sessions/{listen_id}/qr.svg": _get(
            "A QR code of the link to read along", {"image/svg+xml": {}}, [listen_id, _TO], fails=(404,)
        ),
    }


def _files() -> Json:
    told: Json = {
        "application/json": {"schema": _ref("Transcription")},
        "text/plain": {"schema": _TEXT},
        "text/vtt": {"schema": _TEXT},
    }
    events: Json = {"text/event-stream": {"schema": _TEXT}}
    body: Json = {"application/octet-stream": {}, "audio/*": {}, "video/*": {}}
    lines: Json = {"application/x-ndjson": {"schema": _ref("Event")}}
    source = _query("from", "language of the speech, BCP 47, or auto", _TEXT)
    name = _query("name", "of the file, for messages", _TEXT)
    return {
        "/v1/translate": _post(
            "A file as the body, its events as JSON lines while they come", body, lines, [source, _TO, name]
        ),
        "/v1/audio/transcriptions": _post(
            "The text of a file in the language spoken, as OpenAI's API has it", _form(), {**told, **events}
        ),
        "/v1/audio/translations": _post(
            "The text of a file in English, as OpenAI's API has it", _form(streams=False), told
        ),
    }


def _models() -> Json:
    json: Json = {"application/json": {}}
    name: Json = {"name": "id", "in": "path", "required": True, "schema": _TEXT}
    return {
        "/v1/models": _get("The model, as OpenAI's API has it", json, fails=(401,), secured=True),
        "/v1/models/{id}": _get("The same", json, [name], fails=(401, 404), secured=True),
    }


def _operation() -> Json:
    plain: Json = {"text/plain": {}}
    not_ready: Json = {"description": "all sessions are taken, or it is about to stop", "content": plain}
    ready: Json = {**_responses(plain, ()), "503": not_ready}
    return {
        "/healthz": _get("Whether the server lives", plain),
        "/readyz": {"get": {"summary": "Whether it would take a session", "responses": ready}},
        "/metrics": _get("For Prometheus", plain, fails=(401,), secured=True),
        "/openapi.json": _get("This description", {"application/json": {}}),
    }


def _get(
    summary: str,
    content: Json,
    parameters: list[Json] | None = None,
    *,
    fails: tuple[int, ...] = (),
    secured: bool = False,
) -> Json:
    operation: Json = {"summary": summary, "responses": _responses(content, fails)}
    if parameters:
        operation["parameters"] = parameters
    if secured:
        operation["security"] = _TOKEN
    return {"get": operation}


def _post(summary: str, body: Json, content: Json, parameters: list[Json] | None = None) -> Json:
    fails = (400, 401, 408, 413, 429, 500, 503) + ((415,) if "multipart/form-data" in body else ())
    operation: Json = {
        "summary": summary,
        "requestBody": {"required": True, "content": body},
        "responses": _responses(content, fails),
        "security": _TOKEN,
    }
    if parameters:
        operation["parameters"] = parameters
    return {"post": operation}


def _responses(content: Json, fails: tuple[int, ...]) -> Json:
    error = {"application/json": {"schema": _ref("Error")}}
    told = {str(status): {"description": _STATUS[status], "content": error} for status in sorted(fails)}
    return {"200": {"description": "done", "content": content}, **told}


def _form(*, streams: bool = True) -> Json:
    properties: Json = {
        "file": {"type": "string", "format": "binary"},
        "model": {"type": "string", "description": "not looked at: there is one"},
        "language": {"type": "string", "description": "of the speech, BCP 47; none: it is told by the sound"},
        "prompt": {"type": "string", "description": "names and spellings to expect"},
        "response_format": {"enum": list(FORMS), "default": "json"},
        "temperature": {"type": "number", "description": "not heeded"},
        "timestamp_granularities[]": {"type": "array", "items": {"enum": list(GRANULARITIES)}},
    }
    if streams:
        properties["stream"] = {"type": "boolean", "default": False}
    return {
        "multipart/form-data": {
            "schema": {"type": "object", "required": ["file"], "properties": properties},
        }
    }


def _query(name: str, description: str, schema: Json, *, required: bool = False) -> Json:
    parameter: Json = {"name": name, "in": "query", "description": description, "schema": schema}
    return {**parameter, "required": True} if required else parameter


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


_TEXT: Json = {"type": "string"}
_TO = _query("to", "languages of the captions, BCP 47, with commas between", _TEXT)
_STATUS = {
    400: "it cannot be done as it was asked for, or the file is no sound or damaged",
    401: "no token or a wrong one",
    404: "there is none of that name",
    408: "nothing came for too long",
    413: "too big, or too long",
    415: "not a multipart form",
    429: "too many files already; Retry-After says when to ask again",
    500: "not all of the speech was understood, or a defect of the server",
    503: "the server is about to stop",
}
_SCHEMAS: Json = {
    "Error": {
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["message", "type", "param", "code"],
                "properties": {
                    "message": _TEXT,
                    "type": _TEXT,
                    "param": {"type": ["string", "null"]},
                    "code": {"type": ["string", "null"]},
                },
            }
        },
    },
    "Event": {
        "type": "object",
        "description": "one a line; the last one is summary",
        "required": ["type"],
        "properties": {
            "type": {"enum": ["start", "language", "caption", "failure", "rejected", "gap", "summary"]}
        },
    },
    "Transcription": {
        "type": "object",
        "required": ["text"],
        "properties": {
            "text": _TEXT,
            "task": {"enum": ["transcribe", "translate"]},
            "language": {"type": "string", "description": "its English name, in small letters"},
            "duration": {"type": "number", "description": "seconds"},
            "segments": {"type": "array", "items": {"type": "object"}},
            "words": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"word": _TEXT, "start": {"type": "number"}, "end": {"type": "number"}},
                },
            },
        },
    },
}
