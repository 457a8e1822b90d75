"""Features by bands: the same numbers as by the matrix of filters, and the same on every machine."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from faster_whisper.feature_extractor import FeatureExtractor
from hypothesis import given
from hypothesis import strategies as st

from decalage.stages.mel import MelBands

_FEATURES = """
import sys
import numpy as np
from faster_whisper.feature_extractor import FeatureExtractor
from decalage.stages.mel import MelBands
extractor = FeatureExtractor(feature_size=80)
extractor.mel_filters = MelBands(extractor.mel_filters)
sound = np.random.default_rng(5).standard_normal(160_000).astype(np.float32)
sys.stdout.buffer.write(extractor(sound).tobytes())
"""


@pytest.mark.parametrize("mels", [80, 128])
def test_bands_give_what_the_filters_give(mels: int) -> None:
    filters = FeatureExtractor(feature_size=mels).mel_filters
    power = np.random.default_rng(mels).random((filters.shape[1], 300), np.float32)
    heard = MelBands(filters) @ power
    assert heard.shape == (mels, 300)
    assert heard.dtype == np.float32
    np.testing.assert_allclose(heard, filters.astype(np.float64) @ power.astype(np.float64), rtol=1e-5)


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 40), st.integers(0, 20))
def test_any_filters_give_their_product(seed: int, mels: int, bins: int, frames: int) -> None:
    made = np.random.default_rng(seed)
    filters = (made.random((mels, bins)) * (made.random((mels, bins)) > 0.7)).astype(np.float32)
    power = made.random((bins, frames), np.float32)
    exact = filters.astype(np.float64) @ power.astype(np.float64)
    np.testing.assert_allclose(MelBands(filters) @ power, exact, rtol=1e-5, atol=1e-6)


def test_a_spectrum_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="expected 3 bins"):
        MelBands(np.ones((2, 3), np.float32)) @ np.ones((4, 5), np.float32)


def features(threads: int) -> bytes:
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": str(threads)}
    command = [sys.executable, "-c", _FEATURES]
    return subprocess.run(command, env=environment, check=True, capture_output=True).stdout


def test_the_number_of_threads_changes_no_digit() -> None:
    assert features(1) == features(2)
