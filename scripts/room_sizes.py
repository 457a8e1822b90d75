"""When the sessions of a room begin; which numbers of them to try, to learn how many a server carries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_OVER_S = 10.0
_MORE = (24, 32, 48, 64, 96, 128)
_FINEST = 4


def begins_s(number: int, count: int) -> float:
    """When session ``number`` of ``count`` begins, seconds after the first: all within ten."""
    return _OVER_S * number / count


def within(lags: Mapping[int, float], until_s: float) -> tuple[int, int]:
    """The most sessions before the lag passes ``until_s``, and the fewest after it; 0 where there are none.

    ``lags``: sessions → 95th percentile of the lag, seconds.
    """
    held = 0
    for sessions, lag_p95 in sorted(lags.items()):
        if lag_p95 > until_s:
            return held, sessions
        held = sessions
    return held, 0


def next_size(lags: Mapping[int, float], wanted: Sequence[int], until_s: float) -> int | None:
    """What to try next: what is wanted, then more until it is too many, then between the last two."""
    for count in wanted:
        if count not in lags:
            return count
    held, beyond = within(lags, until_s)
    if not beyond:
        return next((more for more in _MORE if more > max(lags)), None)
    return (held + beyond) // 2 if held and beyond - held > _FINEST else None
