"""How much sound the encoder is given: Whisper was trained on 30 s, most utterances are far shorter."""

from __future__ import annotations

from decalage.config import EncoderWindow

FULL_S = 30.0
_MIN_S = 10.0
_PADDING_S = 4.0
"""With less silence after the speech the decoder tends to loop."""


def window_s(duration_s: float, window: EncoderWindow) -> float:
    """Seconds to pad ``duration_s`` of speech to, never under its length nor over 30 s.

    ``auto``: at least 10 s and at least 4 s more than the speech.
    """
    if window == "full":
        return FULL_S
    wanted = max(_MIN_S, duration_s + _PADDING_S) if window == "auto" else float(window)
    return min(FULL_S, max(wanted, duration_s))
