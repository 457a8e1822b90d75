"""House rules that a machine can check."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
ROOT = REPOSITORY / "src" / "decalage"
MODULES = sorted(ROOT.rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse(path.read_text("utf-8"))
    return [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_files_and_functions_are_short(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= 300
    for function in functions(path):
        lines = (function.end_lineno or 0) - function.lineno + 1
        assert lines <= 50, f"{function.name} has {lines} lines"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_function_takes_more_than_eight_parameters(path: Path) -> None:
    for function in functions(path):
        arguments = function.args
        names = [a.arg for a in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]]
        count = len([name for name in names if name not in ("self", "cls")])
        assert count <= 8, f"{function.name} takes {count}"


@pytest.mark.parametrize("path", [p for p in MODULES if p.name == "__init__.py"], ids=name_of)
def test_packages_only_re_export(path: Path) -> None:
    exported: set[str] = set()
    declared: set[str] | None = None
    body = ast.parse(path.read_text("utf-8")).body
    if path.parent == ROOT:  # its names are imported when they are asked for
        body = [node for node in body if isinstance(node, ast.If) or _declares(node)]
        body = [each for node in body for each in (node.body if isinstance(node, ast.If) else [node])]
    for node in body:
        if isinstance(node, ast.ImportFrom):
            exported |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign):
            assert [target.id for target in node.targets if isinstance(target, ast.Name)] == ["__all__"]
            declared = set(ast.literal_eval(node.value))
        else:
            text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            assert text, f"{name_of(path)} does more than re-export"
    assert exported == (declared or set())


def _declares(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and "__all__" in [
        target.id for target in node.targets if isinstance(target, ast.Name)
    ]


def test_every_name_of_the_package_is_there_and_none_is_loaded_before() -> None:
    script = """
import sys, decalage
assert "numpy" not in sys.modules
assert all(vars(sys.modules[getattr(decalage, name).__module__])[name] for name in decalage.__all__
           if name != "Event"), decalage.__all__
from decalage import *
assert Event is decalage.Event
try:
    decalage.Nothing
except AttributeError:
    sys.exit(0)
sys.exit(1)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_nothing_prints_and_nothing_is_unfinished(path: Path) -> None:
    text = path.read_text("utf-8")
    calls = [node.func for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    assert not [call for call in calls if isinstance(call, ast.Name) and call.id == "print"]
    assert not re.search(r"\b(TODO|FIXME|XXX)\b", text)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_public_classes_and_functions_have_docstrings(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    assert ast.get_docstring(tree), "no module docstring"
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            told = node.name.startswith("_") or ast.get_docstring(node)
            assert told, f"{node.name} has no docstring"


def test_documents_keep_their_form() -> None:
    assert len((REPOSITORY / "README.md").read_text("utf-8").splitlines()) <= 150
    assert "## [Unreleased]" in (REPOSITORY / "CHANGELOG.md").read_text("utf-8")
    for name in ("LICENSE", "NOTICE.md", "CONTRIBUTING.md", "SECURITY.md", "docs/design.md"):
        assert (REPOSITORY / name).read_text("utf-8").strip()


def test_extras_are_installed_from_the_clone_for_no_index_has_the_project() -> None:
    told = [*MODULES, *REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/*.md")]
    assert [path.name for path in told if re.search(r"decalage\[[a-z]", path.read_text("utf-8"))] == []


def test_links_in_documents_lead_somewhere() -> None:
    for document in [*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/*.md")]:
        for link in re.findall(r"\]\(([^)#:]+)\)", document.read_text("utf-8")):
            assert (document.parent / link).exists(), f"{document.name}: {link}"
