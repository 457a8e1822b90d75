"""How much code a runtime is: lines of its own modules, those that not every runtime needs."""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from functools import cache
from pathlib import Path

_PACKAGE = "decalage.runtimes"
_COMMON = f"{_PACKAGE}.local"
"""What all runtimes are built on: it and what it needs count for none of them."""
_SILENT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}


def own_modules(runtime: type) -> list[str]:
    """The modules under ``decalage.runtimes`` that ``runtime`` needs and the common base does not."""
    return sorted(_needed(runtime.__module__) - _needed(_COMMON))


def own_lines(runtime: type) -> int:
    """Lines of ``own_modules`` that are neither blank nor only a comment."""
    return sum(code_lines(_source(module)) for module in own_modules(runtime))


def code_lines(source: str) -> int:
    """Lines of Python that are neither blank nor only a comment; docstrings count."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in _SILENT:
            lines.update(range(token.start[0], token.end[0] + 1))
    text = source.splitlines()
    return sum(bool(text[number - 1].strip()) for number in lines)


def _source(module: str) -> str:
    path = sys.modules[_PACKAGE].__path__[0]
    return (Path(path) / f"{module.rpartition('.')[2]}.py").read_text("utf-8")


@cache
def _needed(module: str) -> frozenset[str]:
    """``module`` and the modules of the package that it imports, and those that they import."""
    found = {module}
    waiting = [module]
    while waiting:
        for node in ast.walk(ast.parse(_source(waiting.pop()))):
            name = node.module if isinstance(node, ast.ImportFrom) else None
            if name is not None and name.startswith(f"{_PACKAGE}.") and name not in found:
                found.add(name)
                waiting.append(name)
    return frozenset(found)
