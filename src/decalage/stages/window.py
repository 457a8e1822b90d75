"""How much sound the encoder is given: Whisper was trained on 30 s, most utterances are far shorter."""

from __future__ import annotations

from decalage.config import EncoderWindow

FULL_S = 30.0
_MIN_S = 10.0
_PADDING_S = 4.0
"""With less silence after the speech the decoder tends to loop."""
_SKETCH_MIN_S = 6.0
_SKETCH_PADDING_S = 3.0
"""A text for the moment may be wrong now and then, and a decode that loops is dropped: 12 of 239 were,
on 25 recordings of the tuning two thirds, and 41 with 2 s of padding and no least window."""


def window_s(duration_s: float, window: EncoderWindow, *, sketch: bool = False) -> float:
    """Seconds to pad ``duration_s`` of speech to, never under its length nor over 30 s.

    ``auto``: at least 10 s and at least 4 s more than the speech; of a ``sketch`` less.
    """
    if window == "full":
        return FULL_S
    least, padding = (_SKETCH_MIN_S, _SKETCH_PADDING_S) if sketch else (_MIN_S, _PADDING_S)
    wanted = max(least, duration_s + padding) if window == "auto" else float(window)
    return min(FULL_S, max(wanted, duration_s))
