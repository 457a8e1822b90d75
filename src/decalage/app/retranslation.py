"""Translates what was heard in a session into more languages. No sound is recognized again.

::

    events ─▶ passages ─▶ find_ways ─▶ load_translator ─▶ Retranslation.add each ─▶ renditions
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from decalage.app.compose import ModelBlueprint
from decalage.app.directions import Directions, find_directions
from decalage.config import StreamOptions, Term
from decalage.contracts import Translator
from decalage.errors import DecalageError, ModelMissingError, UnsupportedPairError, one_line
from decalage.events import Caption, Event, Failure
from decalage.runtimes.roads import road
from decalage.speech import Transcript
from decalage.stages.terms import Translate, translated
from decalage.store.history_values import Rendition, transcript
from decalage.store.models import find_translator

_ENGLISH = "en"


@dataclass(frozen=True, slots=True)
class Passage:
    """An utterance that is to be told in other languages."""

    index: int
    heard: Transcript
    """With the English that there is of it, if it is in another language."""
    targets: tuple[str, ...]

    def __repr__(self) -> str:
        return f"<Passage {self.index} {self.heard.language}→{','.join(self.targets)}>"


def passages(events: Iterable[Event], targets: Collection[str], *, again: bool = False) -> list[Passage]:
    """What of ``events`` is not in each of ``targets`` yet; with ``again`` what is, too."""
    found = []
    for event in events:
        heard = transcript(event)
        if not isinstance(event, Caption | Failure) or heard is None:
            continue
        language, text = heard
        there = {language} if again else {language, *event.text}
        missing = tuple(target for target in targets if target not in there)
        if missing:
            english = None if language == _ENGLISH else event.text.get(_ENGLISH)
            found.append(Passage(event.index, Transcript(text, language, english=english), missing))
    return found


def find_ways(wanted: Iterable[Passage]) -> Directions:
    """(source, target) → folder of the model, for every step that ``wanted`` takes and there is a model for.

    A language that no model leads straight to is reached by way of English. Raises
    ``UnsupportedPairError`` or ``ModelMissingError`` where nothing of ``wanted`` can be translated.
    """
    found: dict[tuple[str, str], Path] = {}
    refused: DecalageError | None = None
    for language, english, target in dict.fromkeys(
        (each.heard.language, each.heard.english is not None, target)
        for each in wanted
        for target in each.targets
    ):
        try:
            found |= _way(language, target, has_english=english)
        except (UnsupportedPairError, ModelMissingError) as error:
            refused = refused or error
    if refused is not None and not found:
        raise refused
    return found


def _way(language: str, target: str, *, has_english: bool) -> Mapping[tuple[str, str], Path]:
    if target == _ENGLISH:
        return {(language, target): find_translator(language, target)}
    way = dict(find_directions(language, [target], hears_others=True))
    if (language, target) not in way and not has_english:
        way[language, _ENGLISH] = find_translator(language, _ENGLISH)
    return way


def load_translator(directions: Directions) -> Translator:
    """All models of ``directions``, loaded. Raises ``MissingPartError`` for one that does not load."""
    nothing = Path()
    blueprint = ModelBlueprint(
        recognizer_path=nothing,
        quantized_path=None,
        directions=directions,
        threads=1,
        device="cpu",
        compute_type="int8",
    )
    return blueprint.translator()


class Retranslation:
    """Passages translated one after the other, by the roads and with the terms of a stream."""

    def __init__(self, translator: Translator, terms: Sequence[Term] = ()) -> None:
        self._translator = translator
        self._options = StreamOptions(directions=frozenset(translator.pairs()), terms=tuple(terms))
        self._texts: dict[str, dict[int, str]] = {}
        self._errors: dict[str, dict[int, str]] = {}

    def __repr__(self) -> str:
        return f"<Retranslation {', '.join(self._texts) or 'of nothing'}>"

    def add(self, passage: Passage) -> None:
        """Translate into each of its targets; one that fails is an error in its place."""
        for target in passage.targets:
            texts = self._texts.setdefault(target, {})
            errors = self._errors.setdefault(target, {})
            try:
                texts[passage.index] = self._text(passage.heard, target)
            except DecalageError as error:
                errors[passage.index] = one_line(error)

    def renditions(self) -> list[Rendition]:
        """What came of it, by language."""
        return [Rendition(target, texts, self._errors[target]) for target, texts in self._texts.items()]

    def _text(self, heard: Transcript, target: str) -> str:
        source, text, engine = self._road(heard, target)
        return text if source == target else translated(text, engine, self._options.terms, target)

    def _road(self, heard: Transcript, target: str) -> tuple[str, str, Translate]:
        """From which language, which text and by what. Raises ``UnsupportedPairError`` where none leads."""
        known = self._translator.pairs()
        language = heard.language
        steps = [(language, _ENGLISH), (_ENGLISH, target)]
        if (language, target) in known or heard.english is not None or not set(steps) <= set(known):
            source, text = road(heard, target, self._options)
            return source, text, partial(self._step, source, target)

        def by_way_of_english(text: str) -> str:
            return self._step(_ENGLISH, target, self._step(language, _ENGLISH, text))

        return language, heard.text, by_way_of_english

    def _step(self, source: str, target: str, text: str) -> str:
        return self._translator.translate(text, source=source, target=target).text
