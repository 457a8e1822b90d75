"""The language of a stream: locked once sure, left on sustained evidence only."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from decalage.flow.language import LanguageLock
from decalage.stages.tongues import judged


def after(*heard: tuple[str, float, float]) -> str | None:
    lock = LanguageLock()
    for each in heard:
        lock.heard(*each)
    return lock.language


def test_nothing_is_known_until_enough_was_heard() -> None:
    assert after() is None
    assert after(("en", 0.95, 1.0)) is None
    assert after(("en", 0.95, 1.0), ("en", 0.95, 1.5)) == "en"


def test_a_doubtful_detection_says_nothing() -> None:
    assert after(*[("pt", 0.5, 10.0)] * 20) is None


def test_a_short_utterance_in_another_language_changes_nothing() -> None:
    assert after(("en", 1.0, 5.0), ("pt", 0.99, 1.0)) == "en"
    assert after(("en", 1.0, 5.0), ("pt", 0.99, 1.0), ("en", 1.0, 1.0), ("pt", 0.99, 2.5)) == "en"


def test_sustained_evidence_changes_it_and_back() -> None:
    english, portuguese = ("en", 1.0, 4.0), ("pt", 0.95, 4.0)
    assert after(english, portuguese) == "pt"
    assert after(english, portuguese, english) == "en"
    assert after(("en", 1.0, 4.0), ("pt", 0.9, 2.0), ("pt", 0.9, 2.0)) == "pt"


@given(st.lists(st.tuples(st.sampled_from(["en", "pt", "es"]), st.floats(0, 1), st.floats(0.1, 15))))
def test_the_language_is_one_that_was_heard(heard: list[tuple[str, float, float]]) -> None:
    assert after(*heard) in {None, *(language for language, _, _ in heard)}


def test_an_utterance_leaves_the_language_so_far_only_if_long_and_sure() -> None:
    assert judged(("pt", 0.5), 0.5, None) == "pt"
    assert judged(("pt", 0.99), 5.0, "en") == "pt"
    assert judged(("pt", 0.99), 0.8, "en") == "en"
    assert judged(("pt", 0.7), 5.0, "en") == "en"
    assert judged(("en", 0.7), 0.5, "en") == "en"
