"""Transcripts into more languages: by the roads there are, with the terms, each failure in its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from decalage.app.retranslation import Passage, Retranslation, find_ways, passages
from decalage.config import Term
from decalage.errors import EngineError, ModelMissingError, UnsupportedPairError
from decalage.events import Event, Failure
from decalage.speech import Transcript, Translation
from decalage.store.catalogue import TRANSLATORS
from decalage.store.history_database import history_path
from decalage.store.history_values import Rendition
from decalage.store.journal_folders import journal_folder
from tests.app.test_history import run
from tests.store.history_kit import said, session
from tests.store.journal_kit import GAP, OPTIONS, START

EVENTS: tuple[Event, ...] = (
    said(0, en="The moor.", pt="A charneca."),
    GAP,
    Failure(2, 2.0, 3.0, "mt", "pt: out of memory", {"en": "The house."}),
    Failure(3, 3.0, 4.0, "asr", "out of memory"),
    replace(said(4, fr="La lande.", en="The heath."), source="fr"),
    replace(said(5, fr="La maison."), source="fr"),
    replace(said(6, pt="O fim."), source="pt"),
)


@dataclass
class Tongues:
    """Says which way a text went: ``fr>en>pt(La lande.)``."""

    known: Sequence[tuple[str, str]]
    failing: set[str] = field(default_factory=set)
    calls: list[str] = field(default_factory=list)

    def translate(self, text: str, *, source: str, target: str) -> Translation:
        self.calls.append(text)
        if text in self.failing:
            raise EngineError(f"cannot\nsay {text}")
        way, _, said = text.rpartition("|")
        return Translation(f"{way or source}>{target}|{said}", source, target)

    def pairs(self) -> Sequence[tuple[str, str]]:
        return list(self.known)


def told(wanted: Sequence[Passage], translator: Tongues, *terms: Term) -> list[Rendition]:
    work = Retranslation(translator, terms)
    for passage in wanted:
        work.add(passage)
    return work.renditions()


def test_what_has_a_transcript_and_not_the_language_is_to_be_translated() -> None:
    found = passages(EVENTS, ["pt", "en"])
    wanted = [(each.index, each.heard.text, each.heard.english, each.targets) for each in found]
    assert wanted == [
        (2, "The house.", None, ("pt",)),
        (4, "La lande.", "The heath.", ("pt",)),
        (5, "La maison.", None, ("pt", "en")),
        (6, "O fim.", None, ("en",)),
    ]
    again = [(each.index, each.targets) for each in passages(EVENTS, ["pt", "en"], again=True)]
    assert again == [(0, ("pt",)), (2, ("pt",)), (4, ("pt", "en")), (5, ("pt", "en")), (6, ("en",))]


def test_each_text_takes_the_straightest_road_there_is() -> None:
    translator = Tongues([("en", "pt"), ("en", "es"), ("fr", "en"), ("fr", "es")])
    es, pt = sorted(told(passages(EVENTS, ["pt", "es"]), translator), key=lambda each: each.language)
    assert (es.language, pt.language) == ("es", "pt")
    assert pt.text == {2: "en>pt|The house.", 4: "en>pt|The heath.", 5: "fr>en>pt|La maison."}
    assert es.text == {
        0: "en>es|The moor.",
        2: "en>es|The house.",
        4: "fr>es|La lande.",
        5: "fr>es|La maison.",
    }
    assert list(es.errors) == [6]
    assert "pt→es" in es.errors[6]


def test_a_text_that_fails_is_an_error_in_its_place_and_the_others_go_on() -> None:
    (es,) = told(passages(EVENTS[:3], ["es"]), Tongues([("en", "es")], {"The moor."}))
    assert es == Rendition("es", {2: "en>es|The house."}, {0: "cannot say The moor."})


def test_given_translations_are_held_to_on_both_roads() -> None:
    """The translator leaves a term as it was said; by way of English the term is the one of the speech."""
    terms = (Term("moor", "charneca"), Term("maison", by_language=(("pt", "lar"),)))
    translator = Tongues([("en", "pt"), ("fr", "en")])
    (pt,) = told(passages([said(0, en="The moor."), EVENTS[5]], ["pt"]), translator, *terms)
    assert pt.text == {0: "en>pt|The charneca.", 5: "fr>en>pt|La lar."}


def test_what_no_model_leads_to_is_refused_before_anything_loads() -> None:
    with pytest.raises(UnsupportedPairError, match="no model translates en→xx; supported: en→pt, pt→en"):
        find_ways(passages(EVENTS, ["xx"]))
    with pytest.raises(UnsupportedPairError, match="fr→en"):
        find_ways([Passage(0, Transcript("La maison.", "fr"), ("pt",))])


def test_a_model_that_is_not_installed_keeps_no_other_language_from_being_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    find = Path.is_file
    gone = {Path(part.path).parent.name for parts in TRANSLATORS["en", "pt"].files.values() for part in parts}
    monkeypatch.setenv("DECALAGE_CACHE", str(tmp_path))
    monkeypatch.setattr(Path, "is_file", lambda path: path.parent.name not in gone and find(path))
    english, portuguese = Transcript("The moor.", "en"), Transcript("O fim.", "pt")
    both = [Passage(0, english, ("pt",)), Passage(1, portuguese, ("en",))]
    assert set(find_ways(both)) == {("pt", "en")}
    with pytest.raises(ModelMissingError, match="en→pt model is not installed"):
        find_ways(both[:1])


def test_the_ways_are_those_that_are_taken() -> None:
    assert set(find_ways(passages(EVENTS[:3], ["pt"]))) == {("en", "pt")}
    assert set(find_ways([Passage(0, Transcript("Ça.", "fr", english="That."), ("pt",))])) == {("en", "pt")}
    both = [Passage(0, Transcript("Ça.", "fr"), ("pt",)), Passage(1, Transcript("O fim.", "pt"), ("en",))]
    assert set(find_ways(both)) >= {("pt", "en")}  # what has no way fails in its place


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DECALAGE_DATA", str(tmp_path / "data"))
    return journal_folder()


@pytest.mark.real
def test_a_kept_session_is_read_in_another_language(
    capsys: pytest.CaptureFixture[str], root: Path, tmp_path: Path
) -> None:
    """Its terms are held to, those of ``--terms`` instead where they are given; nothing is heard again."""
    texts = ["The weather is beautiful today.", "We walked over the moor to Dorothea's house."]
    events = [said(index, en=text) for index, text in enumerate(texts)]
    start = replace(START, targets=("en",))
    name = "20260101T030405Z-00000001"
    folder = session(root, events, name, start=start, options=replace(OPTIONS, targets=("en",)))
    code, out, err = run(capsys, "translate", "last", "--to", "pt-BR")
    assert (code, out, err) == (0, "", f"decalage: {name}: 2 of 2 captions in pt\n")
    _, found, _ = run(capsys, "search", "hoje")
    assert "The weather is beautiful today." in found
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    path = tmp_path / "talk.pt.txt"
    assert run(capsys, "export", "last", "-o", str(path), "--show", "target")[0] == 0
    first, second = path.read_text().splitlines()
    assert "hoje" in first
    assert "charneca" in second  # a term of the session
    assert "Dorothea" in second
    (tmp_path / "terms.txt").write_text("moor = páramo\n")
    asked = ("translate", "last", "--to", "pt", "--again", "--terms", str(tmp_path / "terms.txt"))
    assert run(capsys, *asked)[0] == 0
    _, shown, _ = run(capsys, "show", "last", "--format", "txt")
    assert "páramo" in shown
    assert "charneca" not in shown
    assert "charneca" not in run(capsys, "search", "moor")[1]
    run(capsys, "delete", "last", "--yes")
    assert "páramo".encode() not in history_path().read_bytes()


@pytest.mark.real
def test_what_fails_is_told_and_the_rest_is_kept(capsys: pytest.CaptureFixture[str], root: Path) -> None:
    """Nobody translates French here, and one utterance was in it."""
    french = replace(said(1, fr="La maison est grande."), source="fr")
    session(root, [said(0, en="Good morning."), french], "20260101T030405Z-00000001")
    code, out, err = run(capsys, "translate", "last", "--to", "pt")
    assert (code, out) == (1, "")
    assert "utterance 1 has no pt (fr→pt" in err
    assert "1 of 2 captions in pt" in err
    shown = run(capsys, "show", "last")[1]
    assert "Bom dia" in shown
    assert "[pt failed: fr→pt" in shown
    assert run(capsys, "translate", "last", "--to", "pt")[0] == 2  # nothing of it can be translated
