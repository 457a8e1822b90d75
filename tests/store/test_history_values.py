"""The arithmetic of what was told, and of what was translated afterwards."""

from __future__ import annotations

from dataclasses import replace

from decalage.events import Caption, Event, Failure, Rejected
from decalage.store.history_values import Rendition, answered_once, read_in, rendered, said, transcript
from tests.store.history_kit import said as caption
from tests.store.journal_kit import GAP, START

HEARD = Failure(3, 3.0, 4.0, "mt", "pt: out of memory", {"en": "Goodbye."})
UNHEARD = Failure(4, 4.0, 5.0, "asr", "out of memory")
EVENTS = (START, caption(0, en="Hello.", pt="Olá."), GAP, caption(2, en="Yes."), HEARD, UNHEARD)


def test_a_translation_made_afterwards_stands_in_its_caption() -> None:
    start, first, gap, second, failure, unheard = rendered(EVENTS, [Rendition("es", {0: "Hola.", 2: "Sí."})])
    assert (start, gap, failure, unheard) == (START, GAP, HEARD, UNHEARD)
    assert isinstance(first, Caption)
    assert isinstance(second, Caption)
    assert list(first.text.items()) == [("en", "Hello."), ("pt", "Olá."), ("es", "Hola.")]
    assert dict(second.text) == {"en": "Yes.", "es": "Sí."}


def test_it_takes_the_place_of_the_one_of_before_and_of_its_error() -> None:
    failed = replace(caption(0, en="Hello."), errors={"pt": "no memory", "es": "no memory"})
    (event,) = rendered([failed], [Rendition("pt", {0: "Olá!"})])
    assert event == replace(failed, text={"en": "Hello.", "pt": "Olá!"}, errors={"es": "no memory"})
    (event,) = rendered([caption(0, en="Hello.", pt="Olá.")], [Rendition("pt", {0: "Oi."})])
    assert event == caption(0, en="Hello.", pt="Oi.")


def test_one_that_failed_is_an_error_and_never_another_text() -> None:
    before = caption(0, en="Hello.", pt="Olá.")
    (event,) = rendered([before], [Rendition("es", {}, {0: "out of memory"})])
    assert event == replace(before, errors={"es": "out of memory"})
    (event,) = rendered([before], [Rendition("pt", {}, {0: "out of memory"})])
    assert event == before  # the translation of before stays


def test_a_failure_with_a_transcript_becomes_a_caption_by_its_translation() -> None:
    (event,) = rendered([HEARD], [Rendition("pt", {3: "Adeus."})])
    assert isinstance(event, Caption)
    assert (event.index, event.start, event.end, event.source) == (3, 3.0, 4.0, "en")
    assert dict(event.text) == {"en": "Goodbye.", "pt": "Adeus."}
    assert (event.latency, event.lag) == (None, None)


def test_only_the_languages_asked_for_are_left_and_the_one_spoken() -> None:
    whole = replace(caption(0, en="Hello.", pt="Olá.", es="Hola."), errors={"de": "none", "fr": "none"})
    (event, gap) = read_in([whole, GAP], ["es", "fr"])
    assert event == replace(whole, text={"en": "Hello.", "es": "Hola."}, errors={"fr": "none"})
    assert gap == GAP


def test_what_was_said_is_each_text_with_its_language_and_times() -> None:
    rows = [(each.utterance, each.language, each.text, each.spoken, each.start) for each in said(EVENTS)]
    assert rows == [
        (0, "en", "Hello.", True, 0.0),
        (0, "pt", "Olá.", False, 0.0),
        (2, "en", "Yes.", True, 2.0),
        (3, "en", "Goodbye.", True, 3.0),
    ]


def test_what_no_program_of_ours_wrote_is_left_out() -> None:
    good = caption(0, en="Hello.")
    odd = [replace(good, index=-1), replace(good, index=10**30), replace(good, start=float("nan"))]
    odd += [replace(good, end=float("inf")), replace(good, text={"pt": "Olá."})]
    assert list(said(odd)) == []


def test_the_first_answer_to_an_utterance_counts() -> None:
    events: list[Event] = [
        caption(0, en="one"),
        caption(0, en="two"),
        Rejected(0, 0.0, 1.0, "loop"),
        GAP,
        START,
        START,
    ]
    assert list(answered_once(events)) == [events[0], GAP, START, START]


def test_the_transcript_of_an_event_is_in_the_language_spoken() -> None:
    assert transcript(caption(0, en="Hello.", pt="Olá.")) == ("en", "Hello.")
    assert transcript(HEARD) == ("en", "Goodbye.")
    assert [transcript(event) for event in (UNHEARD, GAP, START)] == [None, None, None]
