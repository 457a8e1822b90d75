"""What a server's refusals and close codes mean for whoever called."""

from __future__ import annotations

from decalage.app.client.messages import Fault
from decalage.errors import ServerError, ServerRefusalError

TRY_AGAIN = frozenset({"busy", "too-slow"})
"""Codes after which the same can be asked again, by one who has a session already."""

_HINT = "give its token with --token or DECALAGE_TOKEN"
_SAME = "use the same décalage on both sides"
_UNTOLD = {
    "not-allowed": f"the server does not let this client in; {_HINT}",
    "busy": "the server is full or about to stop; try again later",
    "unknown-session": "the server has no such session: it has ended, or the link is wrong",
    "unsupported-language": "the server has no model for these languages",
    "taken-over": "the session goes on over another connection",
    "too-big": "a piece of sound was larger than the server takes",
    "internal": "the server failed; its log says why",
}
"""What is told where the server gave no message."""
_REFUSALS = frozenset(
    {
        "bad-message",
        "busy",
        "not-allowed",
        "unknown-session",
        "unsupported-language",
        "unsupported-version",
    }
)
_CODES = {1003: "bad-message", 1008: "not-allowed", 1009: "too-big", 1011: "internal", 1013: "busy"}
_STATUSES = {401: "not-allowed", 403: "not-allowed", 429: "busy", 503: "busy"}
_ANSWERS = {
    "not-allowed": f"the server does not let this client in here; check the address, or {_HINT}",
    "busy": _UNTOLD["busy"],
}


def refusal(fault: Fault) -> ServerError:
    """The exception for a fatal fault: one line that says what to do."""
    told = fault.message or _UNTOLD.get(fault.code, f"the server gave the session up ({fault.code})")
    if fault.code == "not-allowed" and "token" in told and _HINT not in told:
        told = f"{told}; {_HINT}"
    elif fault.code in ("unsupported-version", "bad-message"):
        told = f"{told}; {_SAME}"
    return (ServerRefusalError if fault.code in _REFUSALS else ServerError)(told, fault.code)


def closed_with(code: int, reason: str) -> Fault | None:
    """What the server meant that closed without a message; None: the connection was lost."""
    return Fault(_CODES[code], reason, fatal=True) if code in _CODES else None


def answered_with(status: int) -> Fault | None:
    """What an HTTP answer means where a WebSocket was asked for; None: no server of ours."""
    code = _STATUSES.get(status)
    return None if code is None else Fault(code, f"{_ANSWERS[code]} (HTTP {status})", fatal=True)
