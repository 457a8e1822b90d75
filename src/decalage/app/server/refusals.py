"""What an HTTP request is answered with when it cannot be done: the form of OpenAI's API for all of them."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from starlette.responses import JSONResponse, Response

from decalage.errors import (
    DecalageError,
    InputError,
    RuntimeClosedError,
    UnsupportedPairError,
    UsageError,
    one_line,
)

logger = logging.getLogger(__name__)

BUSY_S = 10
"""After this long a client may try again."""
_KINDS = {408: "timeout_error", 413: "invalid_request_error", 429: "rate_limit_error"}
FINAL = {"x-should-retry": "false"}
"""Header for a failure that another try would meet again: OpenAI's clients heed it."""


class RefusedError(DecalageError):
    """Raised when a request is answered with an error; the message says what would be taken instead."""

    def __init__(
        self,
        status: int,
        message: str,
        code: str,
        *,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.param = param
        """The field of the request that is wrong."""
        self.headers = headers or {}

    def body(self) -> dict[str, dict[str, str | None]]:
        """As OpenAI's API tells errors."""
        kind = _KINDS.get(self.status, "server_error" if self.status >= 500 else "invalid_request_error")
        return {
            "error": {"message": one_line(self), "type": kind, "param": self.param, "code": self.code},
        }

    def response(self) -> Response:
        """The whole answer."""
        return JSONResponse(self.body(), self.status, headers=dict(self.headers))


def refused(error: Exception) -> RefusedError:
    """What ``error`` is to a client. What is not ours is a defect: logged whole, told in a few words."""
    if isinstance(error, RefusedError):
        return error
    if isinstance(error, RuntimeClosedError):
        return stopping()
    if isinstance(error, UsageError):
        if isinstance(error, InputError):
            return RefusedError(400, str(error), "unreadable_audio", param="file")
        pair = isinstance(error, UnsupportedPairError)
        return RefusedError(400, str(error), "unsupported_language" if pair else "invalid_value")
    if isinstance(error, DecalageError):
        return RefusedError(500, str(error), "internal")
    logger.error("a request failed", exc_info=error)
    return RefusedError(500, "a defect of the server; its log says more", "internal")


def stopping() -> RefusedError:
    """The server takes no more work."""
    return RefusedError(503, "the server is about to stop", "stopping", headers={"retry-after": str(BUSY_S)})
