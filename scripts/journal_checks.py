"""What has to be true of a journal that was resumed, from the journal alone."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from decalage.app.bench.quality import word_errors
from decalage.app.compose import shared_vad
from decalage.audio import Samples, sample_count, seconds
from decalage.events import Gap, Settled
from decalage.store.journal_reader import JournalContent
from decalage.store.journal_unfinished import Unfinished

_SHORTEST_S = 0.1
"""Shorter bursts are no speech."""


def wrong(before: Unfinished, after: JournalContent) -> list[str]:
    """What of the journal is not as it must be."""
    settled = [each.event for each in after.events if isinstance(each.event, Settled)]
    found = [] if after.ending == "closed" else ["it is not closed"]
    if [event.index for event in settled] != list(range(len(settled))):
        found.append("an index is missing, or there twice")
    if [each.seq for each in after.events] != list(range(1, len(after.events) + 1)):
        found.append("the events are not numbered on")
    if tuple(settled[: len(before.settled)]) != before.settled:
        found.append("an answer of before is another now")
    spans = [(sample_count(event.start), sample_count(event.end)) for event in settled]
    if any(first < end for (_, end), (first, _) in pairwise(spans)):
        found.append("a sample is in two answers")
    place = 0
    for chunk in after.chunks():
        if chunk.first > place and not any(
            isinstance(event, Gap) and not event.captured and span == (place, chunk.first)
            for event, span in zip(settled, spans, strict=True)
        ):
            found.append(f"a hole at {seconds(place):.1f} s is no gap")
        place = chunk.first + len(chunk.samples)
    return found


def voiced(content: JournalContent) -> float:
    """Seconds of the journal that are speech and in no answer."""
    heard, detector = whole_sound(content), shared_vad().detector()
    free = np.ones(len(heard), bool)
    for each in content.events:
        if isinstance(each.event, Settled):
            free[sample_count(each.event.start) : sample_count(each.event.end)] = False
    frame = detector.frame_samples
    run = total = 0
    for at in range(0, len(heard) - frame + 1, frame):
        speech = detector.probability(heard[at : at + frame]) >= 0.5 and bool(free[at : at + frame].all())
        run = run + frame if speech else 0
        if run >= sample_count(_SHORTEST_S):
            total += run if run - frame < sample_count(_SHORTEST_S) else frame
    return seconds(total)


def whole_sound(content: JournalContent) -> Samples:
    """The sound of the journal, silence where there is none."""
    parts, place = [np.zeros(0, np.float32)], 0
    for chunk in content.chunks():
        parts += [np.zeros(chunk.first - place, np.float32), chunk.samples]
        place = chunk.first + len(chunk.samples)
    heard: Samples = np.concatenate(parts)
    return heard


def split_errors(whole: str, before: str, rest: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """(errors, words) of two texts that follow each other against one, cut where they fit best."""
    words = whole.split()
    ways = []
    for place in range(len(words) + 1):
        head, tail = " ".join(words[:place]), " ".join(words[place:])
        ways.append((word_errors(head, before, "en"), word_errors(tail, rest, "en")))
    return min(ways, key=lambda way: way[0][0] + way[1][0])
