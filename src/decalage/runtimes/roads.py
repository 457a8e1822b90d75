"""Which text is translated into a target: the transcript, or what the recognizer made of it in English."""

from __future__ import annotations

from decalage.config import StreamOptions
from decalage.errors import UnsupportedPairError
from decalage.speech import Transcript

_ENGLISH = "en"


def road(transcript: Transcript, target: str, options: StreamOptions) -> tuple[str, str]:
    """From which language, and which text, to translate into ``target``: the speech's own, else English.

    Raises ``UnsupportedPairError`` where neither leads there.
    """
    known = options.directions
    if known is None or (transcript.language, target) in known:
        return transcript.language, transcript.text
    if transcript.english is not None and (target == _ENGLISH or (_ENGLISH, target) in known):
        return _ENGLISH, transcript.english
    why = "the model gave no English for it" if (_ENGLISH, target) in known else "no model translates it"
    raise UnsupportedPairError(f"{transcript.language}→{target}: {why}")
