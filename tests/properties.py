"""What properties share.

Each is tried with few examples in the ordinary suite, with ``DECALAGE_FUZZ`` of them in a long run.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

from hypothesis import HealthCheck, settings

Error = TypeVar("Error", bound=Exception)

FUZZ = int(os.environ.get("DECALAGE_FUZZ", "0"))
"""Examples of each property; 0: as many as its test says, the same ones every time."""

settings.register_profile("quick", derandomize=True, deadline=None)
settings.register_profile(
    "long",
    max_examples=max(1, FUZZ),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
settings.load_profile("long" if FUZZ else "quick")


def examples(quick: int) -> settings:
    """``quick`` examples in the ordinary suite, where the 100 of other properties would take too long."""
    return settings(max_examples=FUZZ or quick)


def raised(kind: type[Error] | tuple[type[Error], ...], call: Callable[[], object]) -> Error | None:
    """The error of this kind that ``call`` raises; None: it does what it is to do."""
    try:
        call()
    except kind as error:
        return error
    return None
