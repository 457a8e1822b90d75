"""Counts a run's events and measures its cost, for the summary."""

from __future__ import annotations

import time
from collections import Counter

import numpy as np
import psutil

from decalage.app.settings import available_cores
from decalage.audio import seconds
from decalage.events import Caption, Gap, Settled, Spread, StreamEvent, Summary
from decalage.flow.statistics import StreamStatistics

_MEGABYTE = 1_000_000
_SAMPLE_EVERY_S = 1.0


class Tally:
    """Add each event as it comes; ``summary`` when the stream has ended.

    ``alone``: the process serves this run only, so its CPU time and memory are the run's.
    """

    def __init__(self, *, realtime: bool, alone: bool = True) -> None:
        self._realtime = realtime
        self._alone = alone
        self._counts: Counter[str] = Counter()
        self._latencies: list[float] = []
        self._lags: list[float] = []
        self._dropped_s = 0.0
        self._process = psutil.Process()
        self._cpu_at_start = self._cpu_s() if alone else 0.0
        self._began = time.monotonic()
        self._cold_start_s = max(0.0, time.time() - self._process.create_time())
        self._peak_bytes = 0
        self._sampled = float("-inf")

    def add(self, event: StreamEvent) -> None:
        """Count ``event``; at most once a second, look at memory."""
        if isinstance(event, Settled):
            self._counts[event.type] += 1
        if isinstance(event, Caption) and event.lag is not None and event.latency is not None:
            self._latencies.append(event.latency)
            self._lags.append(event.lag)
        if isinstance(event, Gap) and event.captured:
            self._dropped_s += event.end - event.start
        if self._alone and time.monotonic() - self._sampled >= _SAMPLE_EVERY_S:
            self._sample_memory()

    def summary(self, statistics: StreamStatistics, damaged: str | None) -> Summary:
        """What was done since this tally was made, and at what cost."""
        if self._alone:
            self._sample_memory()
        wall_s = time.monotonic() - self._began
        audio_s = seconds(statistics.samples_in)
        cpu_s = self._cpu_s() - self._cpu_at_start if self._alone else 0.0
        cpu_percent = 100 * cpu_s / (wall_s * available_cores()) if wall_s else 0.0
        return Summary(
            utterances=statistics.utterances,
            captions=self._counts["caption"],
            failures=self._counts["failure"],
            rejected=self._counts["rejected"],
            gaps=self._counts["gap"],
            audio_s=audio_s,
            wall_s=wall_s,
            rtf=None if self._realtime or not audio_s else wall_s / audio_s,
            load=statistics.service_s / audio_s if audio_s else 0.0,
            latency=spread(self._latencies),
            lag=spread(self._lags),
            dropped_s=self._dropped_s,
            cpu_percent=cpu_percent if self._alone else None,
            memory_mb=self._peak_bytes / _MEGABYTE if self._alone else None,
            cold_start_s=self._cold_start_s if self._alone else None,
            damaged=damaged,
            shed_s=statistics.shed_s,
            spilled_s=seconds(statistics.peak_spilled) or None,
            breach=statistics.breach,
        )

    def _tree(self) -> list[psutil.Process]:
        return [self._process, *self._process.children(recursive=True)]

    def _cpu_s(self) -> float:
        """CPU seconds of this process, its children and the children already gone."""
        own = self._process.cpu_times()
        total = own.user + own.system
        total += getattr(own, "children_user", 0.0) + getattr(own, "children_system", 0.0)
        for child in self._tree()[1:]:
            try:
                times = child.cpu_times()
            except psutil.Error:  # ended since it was listed: its time is among the children gone
                continue
            total += times.user + times.system
        return float(total)

    def _sample_memory(self) -> None:
        self._sampled = time.monotonic()
        total = 0
        for process in self._tree():
            try:
                memory = process.memory_full_info()
            except psutil.Error:  # ended between listing and asking, or not ours to ask
                continue
            total += getattr(memory, "pss", None) or memory.rss
        self._peak_bytes = max(self._peak_bytes, total)


def spread(values: list[float]) -> Spread | None:
    """Mean, median, 95th percentile (linear interpolation) and maximum; None of nothing."""
    if not values:
        return None
    p50, p95 = np.percentile(values, [50, 95])
    return Spread(float(np.mean(values)), float(p50), float(p95), max(values))
