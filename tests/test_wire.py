"""Events come back from their published form as they were."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decalage.errors import MalformedEventError
from decalage.events import Event, Summary, Timing, as_json
from decalage.speech import Word
from decalage.wire import from_json
from tests.sinks.events import SUMMARY, caption

TIMES = st.floats(-1, 1e5).map(lambda value: round(value, 4))
TEXTS = st.dictionaries(st.sampled_from(["en", "pt", "es"]), st.text(min_size=1), min_size=1)
for plain, strategy in (
    (float, TIMES),
    (Timing, st.builds(Timing, *[TIMES] * 4, st.none() | TIMES, st.none() | TIMES, TIMES)),
    (Word, st.builds(Word, st.text(), TIMES, TIMES)),
):
    st.register_type_strategy(plain, strategy)

EVENTS = st.one_of([st.from_type(kind) for kind in get_args(Event)]).filter(
    lambda event: not isinstance(event, Summary) or event.damaged != ""  # which is as if nothing were
)


@given(EVENTS)
def test_an_event_comes_back_from_its_json(event: Event) -> None:
    assert from_json(as_json(event)) == event


@given(EVENTS, st.integers(1))
def test_fields_that_are_not_known_are_passed_over(event: Event, seq: int) -> None:
    assert from_json({**as_json(event), "seq": seq, "colour": {"of": ["things"]}}) == event


@pytest.mark.parametrize("body", [{}, {"type": "stats", "behind_s": 1.0}, {"type": 3}, {"type": None}])
def test_what_is_no_event_is_none(body: dict[str, object]) -> None:
    assert from_json(body) is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"index": "three"}, r"Caption\.index cannot be 'three'"),
        ({"start": True}, r"Caption\.start cannot be True"),
        ({"text": ["Oi."]}, r"Caption\.text cannot be"),
        ({"text": {"pt": 3}}, r"Caption\.text\.pt cannot be 3"),
        ({"timing": {}}, r"Caption\.timing\.speech_end is missing"),
        ({"degraded": [1]}, r"Caption\.degraded\[0\] cannot be 1"),
        ({"source": None}, r"Caption\.source cannot be None"),
    ],
)
def test_a_field_of_another_type_is_named(change: dict[str, object], words: str) -> None:
    with pytest.raises(MalformedEventError, match=words):
        from_json({**as_json(caption(pt="Oi.")), **change})


def test_a_missing_field_is_named_but_for_one_that_may_be_empty() -> None:
    body = as_json(SUMMARY)
    del body["lag"]
    assert from_json(body) == SUMMARY
    del body["captions"]
    with pytest.raises(MalformedEventError, match=r"Summary\.captions is missing"):
        from_json(body)


def test_a_word_that_is_newer_than_this_program_is_kept() -> None:
    rejected = from_json({"type": "rejected", "index": 0, "start": 0, "end": 1, "reason": "music"})
    assert rejected is not None
    assert as_json(rejected)["reason"] == "music"
