"""What is started once for all tests of the runtimes ends with the last of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.runtimes.kit import ray_kept


@pytest.fixture(scope="package", autouse=True)
def _ray_ends() -> Iterator[None]:
    yield
    ray_kept.end()
