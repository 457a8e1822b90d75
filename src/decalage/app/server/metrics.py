"""What the server tells Prometheus: counts of its own, and what there is at the moment of a scrape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, get_args

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from decalage.events import Caption, Event, Gap, Settled
from decalage.flow.overload import Step
from decalage.flow.statistics import RuntimeStatistics

_BUCKETS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0)
"""Upper bounds in seconds: close together where captions usually are."""
_OUTCOMES = ("caption", "failure", "rejected", "gap")


@dataclass(frozen=True, slots=True)
class Load:
    """What the server has to do at one moment."""

    sessions: int
    """Those that are open, with a socket or within their grace."""
    listeners: int
    queue_s: float
    """Seconds of sound that came and were not segmented, all sessions together."""
    spilled_s: float
    """Of that, on the disk."""
    shedding: Mapping[str, int]
    """What is given up under overload → by how many sessions."""
    runtime: RuntimeStatistics


class Loaded(Protocol):
    """Tells the load at once, without waiting for anybody: it is asked at each scrape."""

    def load(self) -> Load:
        """The load now."""


class Metrics:
    """The metrics of one server, in a registry of their own. Its methods may be called from any thread."""

    def __init__(self, loaded: Loaded) -> None:
        registry = self._registry = CollectorRegistry()
        self._lag = Histogram(
            "decalage_lag_seconds",
            "From the end of speech to its settled caption.",
            registry=registry,
            buckets=_BUCKETS,
        )
        self._latency = Histogram(
            "decalage_latency_seconds",
            "From the decision that an utterance is over to its settled caption.",
            registry=registry,
            buckets=_BUCKETS,
        )
        self._opened = Counter("decalage_sessions_total", "Sessions that were opened.", registry=registry)
        self._closed = Counter("decalage_sessions_closed_total", "Sessions that are over.", registry=registry)
        self._refused = Counter(
            "decalage_sessions_refused_total",
            "Speakers that were not let in, by the code of the error.",
            ["reason"],
            registry=registry,
        )
        self._errors = Counter(
            "decalage_protocol_errors_total",
            "Errors that ended a socket, those of refused speakers too.",
            ["code"],
            registry=registry,
        )
        self._resumed = Counter(
            "decalage_connections_resumed_total",
            "Sockets that went on with a session.",
            registry=registry,
        )
        self._utterances = Counter(
            "decalage_utterances_total", "Utterances by their answer.", ["outcome"], registry=registry
        )
        for outcome in _OUTCOMES:
            self._utterances.labels(outcome)  # told from the start, as 0
        self._audio = Counter("decalage_audio_seconds_total", "Sound that came.", registry=registry)
        self._dropped = Counter(
            "decalage_dropped_seconds_total",
            "Sound that came and was dropped by a declared policy.",
            registry=registry,
        )
        registry.register(_LoadCollector(loaded))
        ProcessCollector(registry=registry)

    def heard(self, event: Event) -> None:
        """Count ``event``; all but settled ones pass. Those of a file at full speed have no lag."""
        if not isinstance(event, Settled):
            return
        self._utterances.labels(event.type).inc()
        if isinstance(event, Gap) and event.captured:
            self._dropped.inc(event.end - event.start)
        if isinstance(event, Caption) and event.lag is not None and event.latency is not None:
            self._lag.observe(event.lag)
            self._latency.observe(event.latency)

    def opened(self) -> None:
        """A session was opened."""
        self._opened.inc()

    def closed(self) -> None:
        """A session that was opened is over, its grace too."""
        self._closed.inc()

    def refused(self, reason: str) -> None:
        """A speaker was not let in. ``reason``: a code of the protocol's, never a text of the client's."""
        self._refused.labels(reason).inc()

    def failed(self, code: str) -> None:
        """A socket ends with an error of this code, of a speaker or a listener, let in or not."""
        self._errors.labels(code).inc()

    def resumed(self) -> None:
        """A socket went on with a session whose own was lost."""
        self._resumed.inc()

    def audio(self, seconds: float) -> None:
        """So much sound came."""
        self._audio.inc(seconds)

    def render(self) -> tuple[bytes, str]:
        """Everything in Prometheus' text format, and the content type of that."""
        return generate_latest(self._registry), CONTENT_TYPE_LATEST


class _LoadCollector(Collector):
    """Asks for the load when it is scraped.

    Its names are not the registry's: there ``decalage_sessions_total`` claims ``decalage_sessions`` too.
    """

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded

    def describe(self) -> list[Metric]:
        """Nothing: a registry that gets this collector must not ask for the load."""
        return []

    def collect(self) -> Iterator[Metric]:
        load = self._loaded.load()
        yield GaugeMetricFamily("decalage_sessions", "Sessions that are open.", load.sessions)
        yield GaugeMetricFamily("decalage_listeners", "Sockets that read along.", load.listeners)
        yield GaugeMetricFamily(
            "decalage_queue_seconds", "Sound that waits to be segmented, all sessions together.", load.queue_s
        )
        yield GaugeMetricFamily(
            "decalage_spilled_seconds", "Of the sound that waits, what is on the disk.", load.spilled_s
        )
        shedding = GaugeMetricFamily(
            "decalage_sessions_shedding", "Sessions that give something up, by what.", labels=["step"]
        )
        for step in get_args(Step):
            shedding.add_metric([step], load.shedding.get(step, 0))
        yield shedding
        yield from _of_runtime(load.runtime)


def _of_runtime(runtime: RuntimeStatistics) -> Iterator[Metric]:
    waiting = GaugeMetricFamily("decalage_waiting", "Utterances that wait for a stage.", labels=["stage"])
    waiting.add_metric(["asr"], runtime.waiting_asr)
    waiting.add_metric(["mt"], runtime.waiting_mt)
    yield waiting
    busy = CounterMetricFamily("decalage_stage_busy_seconds", "Work of each stage.", labels=["stage"])
    for stage, seconds in runtime.busy_s.items():
        busy.add_metric([stage], seconds)
    yield busy
    yield GaugeMetricFamily(
        "decalage_abandoned_workers",
        "Threads inside an engine call that was given up.",
        runtime.abandoned_workers,
    )
