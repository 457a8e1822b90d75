"""Events as a run would give them, in the few words a test needs."""

from __future__ import annotations

from decalage.events import Caption, Failure, Gap, Partial, Rejected, Start, Summary, Timing

TIMING = Timing(
    speech_end=2.7, endpoint=3.0, asr_start=3.0, asr_end=3.3, mt_start=3.3, mt_end=3.35, emitted=3.35
)
START = Start(
    source="en",
    targets=("pt",),
    runtime="pipeline",
    workers=1,
    threads=2,
    model="base",
    engine="onnxruntime",
    beam=1,
    encoder_window="auto",
    end_silence=0.4,
    partials=True,
    stability="balanced",
    pace="realtime",
    input="talk.flac",
)


def caption(index: int = 0, lag: float | None = None, **text: str) -> Caption:
    """A caption of three seconds, English first: ``caption(en="Hi.", pt="Oi.")``."""
    start = 4.0 * index
    return Caption(
        index, start, start + 3, "en", text, TIMING, latency=None if lag is None else lag / 2, lag=lag
    )


def partial(index: int = 0, revision: int = 0, **text: str) -> Partial:
    return Partial(index, revision, 4.0 * index, 4.0 * index + 2, "en", text, dict.fromkeys(text, 0))


def failure(index: int = 0, error: str = "out of memory", **text: str) -> Failure:
    return Failure(index, 4.0 * index, 4.0 * index + 3, "mt" if text else "asr", error, text)


def gap(index: int = 0) -> Gap:
    return Gap(index, 4.0 * index, 4.0 * index + 2.5, "overload")


def rejected(index: int = 0) -> Rejected:
    return Rejected(index, 4.0 * index, 4.0 * index + 3, "no-speech")


SUMMARY = Summary(
    utterances=4,
    captions=3,
    failures=0,
    rejected=1,
    gaps=0,
    audio_s=60.0,
    wall_s=12.0,
    rtf=0.2,
    load=0.18,
    latency=None,
    lag=None,
    dropped_s=0.0,
    cpu_percent=80.0,
    memory_mb=512.0,
    cold_start_s=1.5,
)
