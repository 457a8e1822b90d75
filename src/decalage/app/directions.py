"""Which translation models a run needs: straight from the speech's language, else by way of English.

Whisper itself tells speech of any language it hears in English, so the second way is the model's own English
and then a model from there: two steps, each with its errors, but a hundred languages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from decalage.app.settings import AUTO
from decalage.errors import UnsupportedPairError
from decalage.store.models import available_pairs, find_translator

_ENGLISH = "en"

Directions = Mapping[tuple[str, str], Path]


def find_directions(source: str, targets: Sequence[str], *, hears_others: bool) -> Directions:
    """(source, target) → folder of the model. ``hears_others``: the recognizer hears more than English.

    With ``source`` ``auto`` all there are that lead to a target. Raises ``UnsupportedPairError`` for a target
    that no way leads to, ``ModelMissingError`` where a model is not installed.
    """
    if source == AUTO:
        return _leading_to(targets)
    found: dict[tuple[str, str], Path] = {}
    for target in targets:
        if target == source:
            continue
        try:
            found[source, target] = find_translator(source, target)
        except UnsupportedPairError:
            if not hears_others or source == _ENGLISH:
                raise
            if target != _ENGLISH:
                found[_ENGLISH, target] = find_translator(_ENGLISH, target)
    return found


def _leading_to(targets: Sequence[str]) -> Directions:
    found = {pair: find_translator(*pair) for pair in available_pairs() if pair[1] in targets}
    for target in targets:
        if target != _ENGLISH and (_ENGLISH, target) not in found:
            found[_ENGLISH, target] = find_translator(_ENGLISH, target)  # tells what there is
    return found
