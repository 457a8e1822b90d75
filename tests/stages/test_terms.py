"""Terms whose translation is given: held to, whatever a small model does with them."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decalage.config import Term
from decalage.stages.firefox import FirefoxTranslator
from decalage.stages.terms import _PLACEHOLDERS, translated
from decalage.store.models import find_translator

LONDON = Term("London", by_language=(("pt", "Londres"),))
POLLY = Term("Polly")
FLOOR = Term("the floor", everywhere="o plenário")


class Model:
    """Translates by a table; what it was asked is kept."""

    def __init__(self, **made: str) -> None:
        self._made = made
        self.asked: list[str] = []

    def __call__(self, text: str) -> str:
        self.asked.append(text)
        for said, made in self._made.items():
            text = text.replace(said, made)
        return text


def test_what_the_model_does_right_is_left_as_it_is() -> None:
    model = Model(London="Londres")
    assert translated("I saw London.", model, (LONDON, POLLY), "pt") == "I saw Londres."
    assert model.asked == ["I saw London."]


def test_a_term_the_model_left_alone_is_replaced() -> None:
    assert translated("LONDON calls.", Model(), (LONDON,), "pt") == "Londres calls."
    assert translated("London calls.", Model(), (LONDON,), "es") == "London calls."


def test_a_name_that_the_model_translates_is_kept_by_a_placeholder() -> None:
    model = Model(Polly="Papagaio")
    assert translated("Then Polly came.", model, (POLLY,), "pt") == "Then Polly came."
    assert len(model.asked) == 2
    assert "Polly" not in model.asked[1]


def test_where_a_placeholder_is_lost_the_models_own_words_stand() -> None:
    def loses(text: str) -> str:
        return "Então veio o papagaio." if "Polly" in text else "Então veio alguém."

    assert translated("Then Polly came.", loses, (POLLY,), "pt") == "Então veio o papagaio."


def test_longer_terms_come_first_and_parts_of_words_are_none() -> None:
    city = Term("London City", everywhere="a City")
    assert translated("London  City and London", Model(), (LONDON, city), "pt") == "A City and Londres"
    assert translated("Londoners", Model(), (LONDON,), "pt") == "Londoners"
    assert translated("on the floor", Model(), (FLOOR,), "pt") == "on o plenário"


def test_a_wanted_word_may_have_an_ending() -> None:
    floor = Term("floor", everywhere="plenário")
    model = Model(floor="plenários")
    assert translated("The floor.", model, (floor,), "pt") == "The plenários."
    assert len(model.asked) == 1


def test_a_sentence_begins_with_a_capital() -> None:
    assert translated("The floor is open.", Model(), (FLOOR,), "pt") == "O plenário is open."


def test_each_sentence_is_held_by_itself() -> None:
    model = Model(Polly="Papagaio")
    said = "Polly came. Nobody else did. Polly went."
    assert translated(said, model, (POLLY,), "pt") == "Polly came. Nobody else did. Polly went."
    assert len(model.asked) == 5


def test_what_is_said_twice_stands_there_twice() -> None:
    def once(text: str) -> str:
        return "Polly e ela." if "Polly" in text else text

    assert translated("Polly and Polly.", once, (POLLY,), "pt") == "Polly and Polly."


@pytest.mark.real
def test_the_real_models_let_the_placeholders_through() -> None:
    translator = FirefoxTranslator({pair: find_translator(*pair) for pair in (("en", "pt"), ("pt", "en"))})
    for source, target, said in (
        ("en", "pt", "He said that {} went to the market, and everybody fell silent."),
        ("pt", "en", "Ele disse que {} foi ao mercado, e todos se calaram."),
    ):
        for word in _PLACEHOLDERS:
            text = translator.translate(said.format(word), source=source, target=target).text
            assert text.count(word) == 1


def test_without_a_term_in_it_a_text_is_translated_once() -> None:
    model = Model(yes="sim")
    assert translated("yes", model, (LONDON,), "pt") == "sim"
    assert translated("yes", model, (), "pt") == "sim"
    assert model.asked == ["yes", "yes"]


@pytest.mark.parametrize("count", [1, 5, 6, 40])
def test_any_number_of_terms_costs_two_translations_at_most(count: int) -> None:
    names = [f"Name{number}" for number in range(count)]
    model = Model(Name="Nome")
    made = translated(" ".join(names), model, tuple(map(Term, names)), "pt")
    assert len(model.asked) <= 2
    assert made == " ".join(names if count <= 5 else (name.replace("Name", "Nome") for name in names))


def test_what_one_term_has_become_is_not_touched_by_another() -> None:
    terms = (Term("New York", everywhere="Nova York"), Term("York", everywhere="Iorque"))
    made = translated("york is not New York.", lambda text: text, terms, "pt")
    assert made == "Iorque is not Nova York."


def test_terms_that_hold_each_other_do_not_grow_without_end() -> None:
    names = [f"t{number}" for number in range(30)]
    terms = [Term(one, everywhere=" ".join([other] * 9)) for one, other in pairwise(names)]
    made = translated(" ".join(names), lambda text: text, terms, "pt")
    assert len(made.split()) == 9 * 29 + 1


@given(st.text(max_size=40), st.lists(st.text(min_size=1, max_size=6), max_size=4))
def test_any_text_and_any_terms_give_a_text(text: str, names: list[str]) -> None:
    made = translated(text, str.upper, tuple(Term(name) for name in names if name.strip()), "pt")
    assert isinstance(made, str)
