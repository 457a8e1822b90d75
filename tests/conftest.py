"""Fixtures shared by all tests."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import properties  # noqa: F401 - chooses how many examples properties are tried with

REQUIRE_ALL = os.environ.get("DECALAGE_REQUIRE_ALL") == "1"


def pytest_configure() -> None:
    """Programs that tests start heed signals, also where the tests run in the background and ignore them."""
    for name in ("SIGINT", "SIGHUP", "SIGTERM"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if name == "SIGINT" else signal.SIG_DFL)


def missing(what: str, mend: str) -> None:
    """Skip for want of ``what``, or fail where everything is required."""
    message = f"{what} is missing: {mend}"
    if REQUIRE_ALL:
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def speech_dir() -> Path:
    """The evaluation speech, a folder with manifest.jsonl."""
    folder = os.environ.get("DECALAGE_SPEECH")
    if not folder or not (Path(folder) / "manifest.jsonl").is_file():
        missing("the evaluation speech", "set DECALAGE_SPEECH=DIR")
        raise AssertionError
    return Path(folder)


@pytest.fixture(scope="session")
def require() -> Callable[[bool, str, str], None]:
    """``require(present, what, mend)``: go on only when an optional part is here."""

    def check(present: bool, what: str, mend: str) -> None:
        if not present:
            missing(what, mend)

    return check


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What runs on Ray has its mark: a cluster takes seconds to start, for each test a few."""
    for item in items:
        parameters = getattr(getattr(item, "callspec", None), "params", {})
        if any(isinstance(value, str) and value == "ray" for value in parameters.values()):
            item.add_marker(pytest.mark.ray)
