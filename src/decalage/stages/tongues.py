"""Which language an utterance is in: what it sounds like, and what was spoken before it. Pure."""

from __future__ import annotations

from typing import Any

_SURE = 0.9
_ENOUGH_S = 2.0
"""An utterance that is shorter, or less sure, does not leave the language so far."""


def judged(detected: tuple[str, float], duration_s: float, likely: str | None) -> str:
    """The language to hear an utterance in; ``likely`` is the one so far.

    ``detected``: the most probable language of the sound and its probability.
    """
    language, probability = detected
    if likely is None or language == likely:
        return language
    return language if probability >= _SURE and duration_s >= _ENOUGH_S else likely


def language_tokens(tokenizer: Any) -> dict[int, str]:
    """The number of each language's token → its code: they stand between two others in the vocabulary."""
    begin, end = (tokenizer.token_to_id(f"<|{name}|>") for name in ("startoftranscript", "translate"))
    if begin is None or end is None:
        return {}
    named = {number: tokenizer.id_to_token(number) for number in range(begin + 1, end)}
    return {number: name.strip("<|>") for number, name in named.items() if name}
