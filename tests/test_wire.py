"""Events come back from their published form as they were."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decalage.config import RecognizerOptions, StreamOptions, Term
from decalage.errors import MalformedEventError
from decalage.events import OMITTED_WHEN_EMPTY, Event, Timing, as_json
from decalage.speech import Word
from decalage.wire import from_json, record
from tests.properties import raised
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
    lambda event: all(getattr(event, name, None) not in ("", 0) for name in OMITTED_WHEN_EMPTY)
)


@given(EVENTS)
def test_an_event_comes_back_from_its_json(event: Event) -> None:
    assert from_json(as_json(event)) == event


@given(EVENTS, st.integers(1))
def test_fields_that_are_not_known_are_passed_over(event: Event, seq: int) -> None:
    assert from_json({**as_json(event), "seq": seq, "colour": {"of": ["things"]}}) == event


ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from([10**400, [[]] * 9]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(EVENTS, st.data())
def test_one_odd_field_is_named_or_what_is_read_can_be_published_again(
    event: Event, data: st.DataObject
) -> None:
    body = as_json(event)
    field = data.draw(st.sampled_from(sorted(body)))
    changed = {**body, field: data.draw(ODD)}
    error = raised(MalformedEventError, lambda: from_json(changed))
    if error is not None:
        assert field in str(error)
        assert len(str(error)) < 200
        return
    found = from_json(changed)
    if found is not None:
        published = json.loads(json.dumps(as_json(found), allow_nan=False))
        again = from_json(published)
        assert again is not None
        assert as_json(again) == published


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan"), 10**400, -(10**400)])
def test_a_number_that_no_float_can_be_is_refused(number: float) -> None:
    with pytest.raises(MalformedEventError, match=r"Caption\.start cannot be"):
        from_json({**as_json(caption(pt="Oi.")), "start": number})


def test_what_is_too_deep_to_be_shown_is_named_all_the_same() -> None:
    deep: list[object] = []
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(MalformedEventError, match=r"Caption\.start cannot be \[\["):
        from_json({**as_json(caption(pt="Oi.")), "start": deep})


def test_a_record_is_read_as_it_is_declared_and_its_closed_sets_are_closed() -> None:
    options = StreamOptions(
        targets=("pt", "es"),
        directions=frozenset({("en", "pt")}),
        recognizer=RecognizerOptions(encoder_window=7.5),
        terms=(Term("moor", None, (("es", "páramo"),)),),
    )
    body = json.loads(json.dumps({**asdict(options), "directions": [["en", "pt"]]}))
    assert record(StreamOptions, body) == options
    assert record(StreamOptions, {}) == StreamOptions()
    for change, words in (
        ({"pace": "slow"}, r"StreamOptions\.pace cannot be 'slow'"),
        ({"directions": [["en"]]}, r"directions\[0\] cannot be \['en'\]"),
        ({"recognizer": {"encoder_window": "wide"}}, r"recognizer\.encoder_window cannot be 'wide'"),
        ({"recognizer": []}, "recognizer cannot be"),
        ({"partials": 1}, "partials cannot be 1"),
    ):
        with pytest.raises(MalformedEventError, match=words):
            record(StreamOptions, {**body, **change})
    with pytest.raises(MalformedEventError, match="StreamOptions cannot be 3"):
        record(StreamOptions, 3)


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
