"""What the owner of a segmenting process keeps count of."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import cast

import numpy as np
import pytest

from decalage.audio import AudioChunk
from decalage.config import SegmenterOptions
from decalage.runtimes.remote_segmenter import RemoteSegmenter, SegmenterDesk
from decalage.speech import Cut, Transcript, Utterance

TEXT = Transcript("word", "en")


class Desk:
    """A process that gives what it is told to, and may be replaced by another."""

    life = 0

    def __init__(self) -> None:
        self.answers: list[list[Cut]] = []
        self.hints: list[tuple[int, int]] = []

    def deadline(self, sound_s: float) -> AbstractContextManager[None]:
        assert sound_s >= 0
        return nullcontext()

    def sweep(self) -> None: ...

    def open(self, stream: str, options: SegmenterOptions, first: int) -> None: ...

    def give(self, stream: str, _item: object) -> list[Cut]:
        assert stream == "s"
        return self.answers.pop(0)

    def hint(self, stream: str, index: int, revision: int, transcript: Transcript) -> None:
        assert (stream, transcript) == ("s", TEXT)
        self.hints.append((index, revision))


def utterance(index: int, revision: int, *, final: bool = False) -> Utterance:
    return Utterance("s", index, 0, np.zeros(100, np.float32), 0.0, revision, final)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def segmenter(desk: Desk) -> RemoteSegmenter:
    return RemoteSegmenter(cast("SegmenterDesk", desk), "s", SegmenterOptions())


def feed(segmenter: RemoteSegmenter, desk: Desk, first: int, *given: Utterance, replayed: int = 0) -> None:
    desk.answers += [[]] * replayed + [list(given)]
    segmenter.feed(AudioChunk(first, np.zeros(100, np.float32)))


def test_a_text_that_comes_after_a_newer_revision_is_passed_on(
    segmenter: RemoteSegmenter, desk: Desk
) -> None:
    feed(segmenter, desk, 0, utterance(0, 0), utterance(0, 1))
    for revision in (0, 1, 2):  # the last was never given
        segmenter.hint(0, revision, TEXT)
    segmenter.hint(1, 0, TEXT)
    assert desk.hints == [(0, 0), (0, 1)]


def test_a_text_of_another_life_is_not_passed_on(segmenter: RemoteSegmenter, desk: Desk) -> None:
    feed(segmenter, desk, 0, utterance(0, 0), utterance(0, 1))
    desk.life = 1
    segmenter.hint(0, 1, TEXT)
    feed(segmenter, desk, 100, utterance(0, 0), replayed=1)  # counted here as revision 2
    for revision in (0, 1, 2):
        segmenter.hint(0, revision, TEXT)
    assert desk.hints == [(0, 0)]
