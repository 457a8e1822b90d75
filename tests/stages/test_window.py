"""The encoder is given no less than the sound and no more than Whisper was trained on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decalage.config import EncoderWindow
from decalage.stages.window import FULL_S, window_s

duration = st.floats(0.01, FULL_S)
window = st.one_of(st.sampled_from(["auto", "full"]), st.floats(0.1, 60))


@given(duration, window)
def test_the_window_holds_the_sound_within_thirty_seconds(duration_s: float, window: EncoderWindow) -> None:
    assert duration_s <= window_s(duration_s, window) <= FULL_S


@given(duration, duration)
def test_longer_speech_never_gets_a_shorter_window(a_s: float, b_s: float) -> None:
    shorter, longer = sorted((a_s, b_s))
    assert window_s(shorter, "auto") <= window_s(longer, "auto")


@given(duration)
def test_the_full_window_is_whispers(duration_s: float) -> None:
    assert window_s(duration_s, "full") == 30.0


@pytest.mark.parametrize("duration_s", [1.0, 4.0, 12.0])
def test_the_fitted_window_is_shorter_than_the_full_one(duration_s: float) -> None:
    assert window_s(duration_s, "auto") < FULL_S


@given(st.floats(0.01, 24))
def test_the_fitted_window_leaves_silence_after_the_speech(duration_s: float) -> None:
    assert window_s(duration_s, "auto") >= duration_s + 4.0


@given(st.floats(0.01, 26))
def test_a_sketch_is_given_less_than_what_has_ended_but_silence_too(duration_s: float) -> None:
    sketch = window_s(duration_s, "auto", sketch=True)
    assert duration_s + 3.0 <= sketch < window_s(duration_s, "auto")
    assert window_s(duration_s, "full", sketch=True) == 30.0


def test_a_window_in_seconds_is_taken_as_given_where_the_sound_fits() -> None:
    assert window_s(5.0, 8.0) == 8.0
    assert window_s(9.0, 8.0) == 9.0
