"""What Prometheus reads: one registry for each server, counts of its own and the load of the moment."""

from __future__ import annotations

from dataclasses import dataclass, replace

from prometheus_client.parser import text_string_to_metric_families

from decalage.app.server.metrics import Load, Metrics
from decalage.events import Caption, Event, Failure, Gap, Partial, Rejected, SpeechStarted, Timing
from decalage.flow.statistics import RuntimeStatistics

TIMING = Timing(2.0, 2.45, 2.45, 2.5, 2.5, 2.52, 2.53)
CAPTION = Caption(0, 0.5, 2.1, "en", {"en": "Hello.", "pt": "Olá."}, TIMING, 0.08, 0.53)
EVENTS: list[Event] = [
    SpeechStarted(0.5),
    Partial(0, 1, 0.5, 1.5, "en", {"en": "Hel"}, {"en": 0}),
    CAPTION,
    replace(CAPTION, index=1, latency=None, lag=None),
    Failure(2, 3.0, 4.0, "asr", "no answer within 30 s"),
    Rejected(3, 4.0, 4.5, "no-speech"),
    Gap(4, 5.0, 7.5, "overload"),
    Gap(5, 8.0, 9.0, "device", captured=False),
]
RUNTIME = RuntimeStatistics(
    streams=2,
    waiting_asr=3,
    waiting_mt=1,
    abandoned_workers=1,
    busy_s={"vad": 0.5, "asr": 12.0, "mt": 1.5},
)
LOAD = Load(sessions=2, listeners=5, queue_s=1.25, spilled_s=0.5, shedding={"partials": 1}, runtime=RUNTIME)


@dataclass
class Served:
    """A server of which only the load is here."""

    now: Load = LOAD
    asked: int = 0

    def load(self) -> Load:
        self.asked += 1
        return self.now


def scraped(metrics: Metrics) -> dict[str, float]:
    """Sample name with its labels → value."""
    body, content_type = metrics.render()
    assert content_type.startswith("text/plain; version=")
    samples: dict[str, float] = {}
    for family in text_string_to_metric_families(body.decode("utf-8")):
        assert family.documentation or not family.name.startswith("decalage_"), family.name
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            key = f"{sample.name}{{{labels}}}" if labels else sample.name
            assert key not in samples, f"{key} twice"
            samples[key] = sample.value
    return samples


def test_each_settled_event_counts_once_by_its_outcome() -> None:
    metrics = Metrics(Served())
    for event in EVENTS:
        metrics.heard(event)
    found = scraped(metrics)
    assert found["decalage_utterances_total{outcome=caption}"] == 2
    assert found["decalage_utterances_total{outcome=failure}"] == 1
    assert found["decalage_utterances_total{outcome=rejected}"] == 1
    assert found["decalage_utterances_total{outcome=gap}"] == 2


def test_only_sound_that_came_counts_as_dropped() -> None:
    metrics = Metrics(Served())
    for event in EVENTS:
        metrics.heard(event)
    assert scraped(metrics)["decalage_dropped_seconds_total"] == 2.5


def test_lag_and_latency_are_those_of_captions_at_speaking_pace() -> None:
    metrics = Metrics(Served())
    for event in EVENTS:
        metrics.heard(event)
    found = scraped(metrics)
    assert found["decalage_lag_seconds_count"] == found["decalage_latency_seconds_count"] == 1
    assert found["decalage_lag_seconds_sum"] == 0.53
    assert found["decalage_lag_seconds_bucket{le=0.5}"] == 0
    assert found["decalage_lag_seconds_bucket{le=0.6}"] == 1
    assert found["decalage_latency_seconds_bucket{le=0.05}"] == 0
    assert found["decalage_latency_seconds_bucket{le=0.1}"] == 1
    assert found["decalage_lag_seconds_bucket{le=30.0}"] == 1


def test_sessions_sockets_and_sound_are_counted() -> None:
    metrics = Metrics(Served())
    metrics.opened()
    metrics.opened()
    metrics.closed()
    metrics.resumed()
    metrics.refused("busy")
    metrics.refused("busy")
    metrics.refused("not-allowed")
    metrics.audio(0.1)
    metrics.audio(0.4)
    found = scraped(metrics)
    assert found["decalage_sessions_total"] == 2
    assert found["decalage_sessions_closed_total"] == 1
    assert found["decalage_connections_resumed_total"] == 1
    assert found["decalage_sessions_refused_total{reason=busy}"] == 2
    assert found["decalage_sessions_refused_total{reason=not-allowed}"] == 1
    assert found["decalage_audio_seconds_total"] == 0.5


def test_errors_of_sockets_are_counted_apart_from_refused_speakers() -> None:
    metrics = Metrics(Served())
    metrics.failed("too-slow")
    metrics.failed("busy")
    metrics.refused("busy")
    found = scraped(metrics)
    assert found["decalage_protocol_errors_total{code=too-slow}"] == 1
    assert found["decalage_protocol_errors_total{code=busy}"] == 1
    assert {name for name in found if name.startswith("decalage_sessions_refused_total")} == {
        "decalage_sessions_refused_total{reason=busy}"
    }


def test_the_load_is_that_of_the_scrape() -> None:
    served = Served()
    metrics = Metrics(served)
    assert served.asked == 0
    found = scraped(metrics)
    assert found["decalage_sessions"] == 2
    assert found["decalage_listeners"] == 5
    assert found["decalage_queue_seconds"] == 1.25
    assert found["decalage_waiting{stage=asr}"] == 3
    assert found["decalage_waiting{stage=mt}"] == 1
    assert found["decalage_stage_busy_seconds_total{stage=vad}"] == 0.5
    assert found["decalage_stage_busy_seconds_total{stage=asr}"] == 12.0
    assert found["decalage_stage_busy_seconds_total{stage=mt}"] == 1.5
    assert found["decalage_abandoned_workers"] == 1
    served.now = replace(served.now, sessions=0)
    assert scraped(metrics)["decalage_sessions"] == 0


def test_everything_that_can_be_counted_is_told_as_nothing_at_first() -> None:
    found = scraped(Metrics(Served()))
    assert found["decalage_utterances_total{outcome=failure}"] == 0
    assert found["decalage_sessions_total"] == 0
    assert found["decalage_lag_seconds_count"] == 0


def test_servers_do_not_share_their_counts() -> None:
    one, other = Metrics(Served()), Metrics(Served())
    one.opened()
    assert scraped(one)["decalage_sessions_total"] == 1
    assert scraped(other)["decalage_sessions_total"] == 0


def test_the_process_is_told_where_the_system_tells_of_it() -> None:
    found = scraped(Metrics(Served()))
    from_proc = {"process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds"}
    assert found.keys() & from_proc in (from_proc, set())
