"""From events to figures: what was taken back, when words came to stay, what a recording comes to."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from decalage.app.evaluate import longform
from decalage.app.evaluate.bootstrap import Times, Translated, Words, difference_interval, interval, whole
from decalage.app.evaluate.figures import figures, overlap
from decalage.app.evaluate.manifest import Span
from decalage.app.evaluate.onset import onset, voiced
from decalage.app.evaluate.shown import Emission, emissions, erased, first_words, histories
from decalage.app.evaluate.tail import Tailed
from decalage.app.evaluate.translations import METRICS, score
from decalage.audio import SAMPLE_RATE, AudioChunk, Samples
from tests.app.evaluate_kit import LIVE, caption, figure, partial, recording, rejected, result


def history(*events: dict[str, object]) -> list[list[Emission] | int]:
    [shown] = histories(events, "pt").values()
    return [erased(shown), emissions(shown)]


def test_what_only_grows_erases_nothing_and_each_word_counts_from_its_first_showing() -> None:
    told = history(partial(0, 1.0, "Um"), partial(0, 1.7, "Um dois"), caption(0, 2.5, "Um dois três"))
    assert told == [
        0,
        [Emission("Um", 0.7, 1.0), Emission("dois", 1.4, 1.7), Emission("três", 2.4, 2.5)],
    ]


def test_a_changed_word_takes_back_all_that_stood_after_it() -> None:
    told = history(
        partial(0, 1.0, "Um dois três"), partial(0, 2.0, "Um sete três"), caption(0, 3.0, "Um sete três")
    )
    assert told[0] == 2
    assert told[1] == [Emission("Um", 0.7, 1.0), Emission("sete", 1.7, 2.0), Emission("três", 1.7, 2.0)]


def test_a_word_that_went_and_came_again_counts_from_when_it_stayed() -> None:
    told = history(partial(0, 1.0, "Um dois"), partial(0, 2.0, "Um"), caption(0, 3.0, "Um dois"))
    assert told == [1, [Emission("Um", 0.7, 1.0), Emission("dois", 2.9, 3.0)]]


def test_a_caption_alone_erases_nothing_and_a_rejected_one_all_that_was_shown() -> None:
    assert history(caption(0, 3.0, "Um dois")) == [0, [Emission("Um", 2.9, 3.0), Emission("dois", 2.9, 3.0)]]
    assert history(partial(0, 1.0, "Um dois"), rejected(0, 2.0)) == [2, []]
    assert history(partial(0, 1.0, "Um dois"), caption(0, 2.0, "")) == [2, []]


def test_damaged_sound_has_no_silence_after_it() -> None:
    whole = figures(recording("a"), result(caption(0, 2.5, "Um")), LIVE)
    cut = figures(recording("a"), result(caption(0, 2.5, "Um"), summary={"damaged": "cut"}), LIVE)
    assert (whole["seconds"], cut["seconds"]) == (10.0, 12.0)


def test_utterances_are_told_apart_and_stand_in_order() -> None:
    found = histories([partial(1, 3.0, "dois"), caption(0, 3.1, "Um"), caption(1, 4.0, "dois")], "pt")
    assert list(found) == [0, 1]
    assert [first_words(shown) for shown in found.values()] == [3.1, 3.0]
    assert sum(map(erased, found.values())) == 0


def test_another_language_has_its_own_history() -> None:
    assert erased(histories([partial(0, 1.0, "Um"), caption(0, 2.0, "Um")], "es")[0]) == 0
    assert first_words(histories([caption(0, 2.0, "Um")], "es")[0]) is None


def test_a_recording_comes_to_its_figures() -> None:
    made = figure(
        "a",
        partial(0, 1.2, "Um carro"),
        caption(0, 2.0, "Um gato", "One cat"),
        rejected(1, 4.0),
        caption(2, 6.0, "e cães.", "and frogs."),
        transcript="One cat -- AND dogs!",
    )
    assert (made["errors"], made["words"]) == (1, 4)
    assert (made["heard"], made["translated"]) == ("One cat and frogs.", "Um gato e cães.")
    assert (made["lags"], made["latencies"]) == ([0.6, 0.6], [0.1, 0.1])
    assert (made["erased_words"], made["shown_words"], made["partials"]) == (1, 4, 1)
    assert made["seconds"] == 10.0
    assert made["service_s"] == 6.0
    assert made["utterances_s"] == [1.5, 1.5]
    assert made["held_out"] is recording("a").held_out


def test_first_words_count_from_speech_not_from_the_sound_before_it() -> None:
    made = figure("a", partial(0, 1.2, "Um"), caption(0, 2.0, "Um"), caption(1, 4.0, "dois"))
    assert made["first_caption"] == pytest.approx(1.0)  # speech from 0.2 s by its level
    assert made["first_words"] == pytest.approx([1.0, 1.9])  # the second utterance: voice from 2.1 s


def test_speech_begins_where_the_manifest_and_the_level_of_the_sound_say() -> None:
    early = figure("a", caption(0, 2.0, "Um"), speech=(Span(0.0, 3.0),))
    late = figure("a", caption(0, 2.0, "Um"), speech=(Span(1.0, 3.0),))
    assert (early["first_caption"], late["first_caption"]) == pytest.approx((1.8, 1.0))


def test_coverage_is_of_the_speech_that_the_manifest_tells_or_that_is_found() -> None:
    found = figure("a", caption(0, 2.0, "Um"))
    assert (found["speech_s"], found["captioned_s"]) == pytest.approx((2.1, 1.2))
    told = figure("a", caption(0, 2.0, "Um"), speech=(Span(0.5, 2.0), Span(4.0, 5.0)))
    assert (told["speech_s"], told["captioned_s"]) == (2.5, 1.0)
    assert overlap([(0, 1), (2, 3)], [(0.5, 2.5)]) == 1.0


def test_a_failed_recording_has_its_error_and_nothing_else() -> None:
    made = figures(recording("a"), {"error": "no memory left"}, LIVE)
    assert made["error"] == "no memory left"
    assert "heard" not in made


def test_of_a_silent_recording_there_is_no_transcript() -> None:
    made = figure("a", caption(0, 2.0, "Um"), expect="empty", translation=None)
    assert made["set"] == "no speech"
    assert made["transcript"] is None
    assert "errors" not in made


def test_the_first_sound_is_found_by_its_level() -> None:
    time = np.arange(SAMPLE_RATE, dtype=np.float32)
    tone: Samples = (0.3 * np.sin(time / 5)).astype(np.float32)
    quiet: Samples = np.zeros(SAMPLE_RATE // 2, np.float32)
    assert onset(np.concatenate([quiet, tone])) == pytest.approx(0.5, abs=0.02)
    assert onset(tone) == 0.0
    assert onset(quiet) == 0.0
    assert onset(tone[:100]) == 0.0
    clicked = quiet.copy()
    clicked[1000] = 1.0
    assert onset(np.concatenate([clicked, tone])) == pytest.approx(0.5, abs=0.02)


class Voice:
    """Finds speech in what is not zero."""

    frame_samples = 512

    def probability(self, frame: Samples) -> float:
        return float(frame.any())


def test_pieces_of_speech_are_joined_over_short_pauses() -> None:
    sound: Samples = np.zeros(512 * 60, np.float32)
    sound[512 * 10 : 512 * 20] = 1
    sound[512 * 25 : 512 * 30] = 1  # after 0.16 s
    sound[512 * 50 : 512 * 55] = 1  # after 0.64 s
    assert np.array(voiced(sound, Voice())) == pytest.approx(np.array([(0.32, 0.96), (1.6, 1.76)]))


class Source:
    """Chunks of ones."""

    name = "ones"
    duration_s: float | None = 0.2

    def __init__(self) -> None:
        self.stopped = False

    def __iter__(self):  # type: ignore[no-untyped-def]
        for first in (0, 1600):
            yield AudioChunk(first, np.ones(1600, np.float32))

    def stop(self) -> None:
        self.stopped = True


def test_silence_follows_a_recording_without_a_hole() -> None:
    chunks = list(Tailed(Source(), 0.25))
    assert [chunk.first for chunk in chunks] == [0, 1600, 3200, 4800, 6400]
    assert sum(len(chunk.samples) for chunk in chunks) == 3200 + 4000
    assert not np.concatenate([chunk.samples for chunk in chunks])[3200:].any()
    assert Tailed(Source(), 0.25).duration_s == pytest.approx(0.45)


def test_a_stopped_recording_has_no_silence_after_it() -> None:
    source = Source()
    tailed = Tailed(source, 1.0)
    tailed.stop()
    assert source.stopped
    assert len(list(tailed)) == 2


def test_an_interval_holds_the_figure_and_is_the_same_each_time() -> None:
    words = Words([1, 0, 3, 2] * 5, [10] * 20)
    assert words.rate() == whole(words) == 15.0
    low, high = interval(words) or (0, 0)
    assert low < 15.0 < high
    assert interval(words) == (low, high)
    assert interval(Words([1], [10])) is None


def test_a_difference_that_every_recording_shows_is_told_from_chance() -> None:
    one, other = Words([2, 1, 4, 3] * 5, [10] * 20), Words([1, 0, 3, 2] * 5, [10] * 20)
    low, high = difference_interval(one, other) or (0, 0)
    assert (low, high) == pytest.approx((-10, -10))
    assert difference_interval(one, one) == (0, 0)


def test_times_are_drawn_by_recording() -> None:
    times = Times([[1.0, 3.0], [5.0]])
    assert whole(times) == 3.0
    assert whole(Times([[1.0, 3.0], [5.0]], 50)) == 3.0
    assert interval(times) == (2.0, 5.0)


def test_scores_added_up_over_texts_are_those_of_all() -> None:
    texts = ["Um dois três quatro cinco.", "Seis sete oito nove."]
    references = ["Um dois três quatro seis.", "Seis sete oito dez."]
    for name in METRICS:
        scored = score(name, texts, references)
        assert scored is not None
        assert whole(Translated(name, texts, references)) == pytest.approx(scored.value)
        assert "version:" in scored.signature
    assert score("bleu", [], []) is None


def test_delays_are_scored_of_live_recordings_with_a_reference(
    require: Callable[[bool, str, str], None],
) -> None:
    require(longform.missing() is None, "OmniSTEval", longform.missing() or "")
    made = [figure("a"), figure("b"), figure("c", translation=None)]
    given = longform.documents(made)
    assert [document["id"] for document in given] == ["a", "b"]
    scored = longform.scores(given, {"en read speech": ["en read speech"], "none": ["x"]})
    assert set(scored) == {"en read speech"}
    delays = scored["en read speech"]
    # two words at 1.9 s and three at 3.9 s, five of 10 s: the mean less that of 0, 2, 4, 6, 8
    assert delays["long_yaal"] == pytest.approx((2 * 1.9 + 3 * 3.9) / 5 - 4)
    assert delays["long_yaal_ca"] == pytest.approx((2 * 2.0 + 3 * 4.0) / 5 - 4)
    assert delays["long_laal_ca"] - delays["long_laal"] == pytest.approx(0.1)
