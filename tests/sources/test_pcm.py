"""Raw PCM from a pipe."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from decalage.errors import DamagedInputError, InputError
from decalage.sources.pcm import PcmSource


@contextmanager
def piped(data: bytes) -> Iterator[PcmSource]:
    """A source at the end of a pipe that gives ``data`` and then ends."""
    reading, writing = os.pipe()

    def write() -> None:
        os.write(writing, data)
        os.close(writing)

    thread = threading.Thread(target=write)
    thread.start()
    with os.fdopen(reading, "rb", 0) as stream:
        source = PcmSource(stream)
        yield source
        source.stop()
    thread.join()


def test_samples_arrive_whole_and_in_order() -> None:
    values = np.arange(-5000, 5000, dtype="<i2")
    with piped(values.tobytes()) as source:
        chunks = list(source)
    samples = np.concatenate([chunk.samples for chunk in chunks])
    assert np.array_equal(np.round(samples * 32_768), values)
    assert [chunk.first for chunk in chunks] == list(
        np.cumsum([0, *(len(chunk.samples) for chunk in chunks[:-1])])
    )


def test_half_a_sample_at_the_end_is_told_after_the_rest() -> None:
    heard = 0
    with piped(b"\0\1" * 100 + b"\0") as source, pytest.raises(DamagedInputError, match="middle of a"):
        for chunk in source:
            heard += len(chunk.samples)
    assert heard == 100


def test_an_empty_pipe_is_refused() -> None:
    with Path(os.devnull).open("rb", 0) as stream, pytest.raises(InputError, match="no sound on standard"):
        PcmSource(stream)


def test_a_pipe_that_ends_without_a_sample_is_refused_when_it_ends() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", 0) as stream:
        source = PcmSource(stream)
        os.close(writing)
        with pytest.raises(InputError, match="no sound on standard input"):
            list(source)
        source.stop()


def test_stop_ends_a_blocked_read() -> None:
    reading, writing = os.pipe()
    chunks: list[object] = []
    with os.fdopen(reading, "rb", 0) as stream:
        source = PcmSource(stream)
        thread = threading.Thread(target=lambda: chunks.extend(source))
        thread.start()
        source.stop()
        thread.join(30)
    assert not thread.is_alive()
    assert chunks == []
    os.close(writing)
