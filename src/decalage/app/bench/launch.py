"""Puts a question to a module in a fresh process and reads its answer."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from decalage.app.bench.cell import Measured
from decalage.app.bench.plan import Cell
from decalage.errors import one_line

_PATIENCE = 10.0
"""A cell may take this many times the length of its sound …"""
_START_LIMIT_S = 300.0
"""… and this long beside it, to load models on a slow disk."""


def launch(cell: Cell, module: str = "decalage.app.bench.cell") -> Measured:
    """Measure ``cell`` by ``module`` in a process of its own, as ``ask``."""
    return ask(module, cell.request(), _START_LIMIT_S + _PATIENCE * cell.audio.seconds)


def ask(module: str, request: Mapping[str, Any], limit_s: float) -> Measured:
    """What ``module``, run in a process of its own, says to ``request``; what fails is in its ``error``.

    An interrupt ends that process and goes on to the caller.
    """
    try:
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-P", "-m", module],
            input=json.dumps(request),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"error": f"no answer within {limit_s:.0f} s"}
    return answer(done.stdout, done.stderr, done.returncode)


def answer(out: str, err: str, code: int) -> Measured:
    """What a finished process said: the last line it wrote, if that is a result."""
    lines = out.strip().splitlines()
    try:
        said: Any = json.loads(lines[-1]) if lines else None
    except ValueError:
        said = None
    if isinstance(said, dict) and "error" in said:
        return said
    last = (err.strip().splitlines() or ["nothing was said"])[-1]
    how = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
    return {"error": one_line(f"the process ended without a result ({how}): {last}")}
