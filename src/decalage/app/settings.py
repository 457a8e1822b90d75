"""Everything a person can set for a run, in one frozen value, and the defaults that need a machine."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

from decalage.app.advise.shape import default_shape
from decalage.config import (
    FORESEEN_FINISHED_S,
    FORESEEN_OPEN_S,
    SKETCH_EVERY_S,
    UNHURRIED,
    ClusterOptions,
    EncoderWindow,
    Engine,
    Pace,
    Policy,
    RecognizerOptions,
    RuntimeName,
    RuntimeOptions,
    SegmenterOptions,
    Stability,
    StreamOptions,
    Term,
)
from decalage.errors import UsageError
from decalage.languages import primary

AUTO = "auto"
"""As the language of the speech: the recognizer tells it."""


def named(source: str) -> str:
    """``source``, where a figure is told for one language. Raises ``UsageError`` for ``auto``."""
    if source.lower() == AUTO:
        raise UsageError("--from auto is not for measuring; name the language, for example --from en")
    return source


MAX_LAG_S = 10.0
"""With ``drop-oldest``, where nothing else is asked for."""
_CAP_SHARE = 0.4
"""Of the greatest lag, the longest utterance: at twice its length in work there is a fifth left to wait."""
_SHORTEST_CAP_S = 4.0

_GLOSSARY_LETTERS = 400
"""Whisper's prompt has room for about 200 tokens, and names take many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Options as given; ``None`` leaves the choice to the machine or the model."""

    source: str = "en"
    targets: tuple[str, ...] = ("pt",)
    runtime: RuntimeName = "pipeline"
    workers: int | None = None
    threads: int | None = None
    address: str | None = None
    """Of a Ray cluster, for ``ray``; None: this machine alone."""
    model: str = "base"
    device: str = "auto"
    compute_type: str = "auto"
    engine: Engine = "auto"
    beam: int = 1
    encoder_window: EncoderWindow = "auto"
    pace: Pace = "max"
    end_silence_s: float | None = None
    max_utterance_s: float | None = None
    partials: bool | None = None
    """Whether captions grow while a person speaks; None: when live."""
    stability: Stability = "balanced"
    speculate: bool = True
    """When live: begin to recognize in a pause that may turn out to be the end."""
    prompt: str | None = None
    terms: tuple[Term, ...] = ()
    """Names the recognizer expects and translations that are given."""
    words: bool = False
    """Whether captions have the time of each word."""
    overload: Policy | None = None
    """What is done when the machine is too slow; None: ``degrade`` when live."""
    max_lag_s: float | None = None
    """With ``drop-oldest``: the lag that no caption exceeds."""
    fallback_model: str | None = None
    """A smaller model, loaded beside the other, for when the machine is too slow."""
    duration_s: float | None = None
    """Stop after this much sound."""
    offline: bool = False

    def stream_options(self) -> StreamOptions:
        """The part that belongs to a stream. Raises ``UsageError``."""
        recognizer = RecognizerOptions(
            language=AUTO if self.detects else primary(self.source),
            beam=self.beam,
            encoder_window=self.encoder_window,
            prompt=" ".join(filter(None, (_glossary(self.terms), self.prompt))) or None,
            words=self.words,
        )
        if not self.targets:
            raise UsageError("no target language; write for example --to pt")
        targets = tuple(dict.fromkeys(primary(target) for target in self.targets))
        return StreamOptions(
            targets=targets,
            recognizer=recognizer,
            segmenter=self.segmenter_options(),
            terms=self.terms,
            pace=self.pace,
            partials=self.grows,
            stability=self.stability,
            overload=self.policy,
            max_lag_s=self.max_lag_s or MAX_LAG_S,
            lighter=self.fallback_model is not None,
        )

    @property
    def policy(self) -> Policy:
        """What is done when the machine is too slow. Raises ``UsageError`` for what cannot be."""
        if self.pace == "max":
            return "block"  # the reader waits: nothing is ever late
        if self.overload == "block":
            raise UsageError("--overload block is for --pace max: a live source does not wait")
        policy = self.overload or "degrade"
        if self.max_lag_s is not None and policy != "drop-oldest":
            raise UsageError("--max-lag goes with --overload drop-oldest")
        return policy

    @property
    def detects(self) -> bool:
        """Whether the recognizer is to tell the language."""
        return self.source.lower() == AUTO

    @property
    def grows(self) -> bool:
        """Whether there are partial captions."""
        return self.pace == "realtime" if self.partials is None else self.partials

    def segmenter_options(self) -> SegmenterOptions:
        """Where utterances end: as for a listener, but for a file at full speed with neither time given.

        Long pieces would hold several languages where nobody named one.
        """
        revise_s = SKETCH_EVERY_S if self.grows else None
        untold = self.end_silence_s is None and self.max_utterance_s is None
        if self.pace == "max" and untold and not self.detects:
            return replace(UNHURRIED, revise_s=revise_s)
        live = SegmenterOptions()
        end_silence_s = live.end_silence_s if self.end_silence_s is None else self.end_silence_s
        longest_s = live.max_utterance_s
        if self.policy == "drop-oldest":  # what takes longer than the lag allows could never be captioned
            longest_s = min(longest_s, max(_SHORTEST_CAP_S, _CAP_SHARE * (self.max_lag_s or MAX_LAG_S)))
        plain = SegmenterOptions(
            end_silence_s=end_silence_s,
            post_roll_s=min(live.post_roll_s, end_silence_s),
            max_utterance_s=self.max_utterance_s or longest_s,
            revise_s=revise_s,
        )
        if self.pace == "max" or not self.speculate:
            return plain
        foreseen = replace(plain, pause_s=plain.post_roll_s)
        if self.end_silence_s is not None:
            return foreseen
        return replace(
            foreseen,
            finished_silence_s=FORESEEN_FINISHED_S,
            open_silence_s=FORESEEN_OPEN_S,
            # Words that were shown of the next sentence would have to be taken back.
            clauses=self.grows and self.stability != "reading",
        )

    def runtime_options(self) -> RuntimeOptions:
        """The part that belongs to a runtime. Raises ``UsageError``."""
        if self.address is not None and self.runtime != "ray":
            raise UsageError(f"--address goes with --runtime ray, not with {self.runtime}")
        workers, threads = self.parallelism()
        cluster = ClusterOptions(
            address=self.address,
            threads=threads,
            fill=self.address is not None and self.workers is None,
            gpu=self.device == "cuda",
        )
        return RuntimeOptions(workers=workers, cluster=cluster)

    def parallelism(self) -> tuple[int, int]:
        """Recognizers and threads in each: as given, else as ``advise`` begins, by cores.

        In a cluster one thread each: its nodes need not have the cores of this machine.
        """
        cores = available_cores()
        if self.runtime == "sequential":
            return 1, self.threads or cores
        threads = self.threads or (None if self.address is None else 1)
        shape = default_shape(cores, self.workers, threads)
        return shape.workers, shape.threads


def _expected(terms: Sequence[Term]) -> list[str]:
    """The names that the recognizer is told: as many of the first as it can keep in mind."""
    names: list[str] = []
    for term in terms:
        if sum(map(len, names)) + len(term.text) > _GLOSSARY_LETTERS:
            break
        names.append(term.text)
    return names


def _glossary(terms: Sequence[Term]) -> str:
    """What the recognizer is to expect, as words that might have been said before."""
    names = _expected(terms)
    return f"Glossary: {', '.join(names)}." if names else ""


def unheard_terms(settings: Settings) -> str | None:
    """A caution where there are more names than the recognizer is told."""
    told = len(_expected(settings.terms))
    if told == len(settings.terms):
        return None
    count = len(settings.terms)
    return f"the recognizer expects the first {told} of {count} terms only; translations are held to all"


def overcommitted(settings: Settings) -> str | None:
    """A caution where more threads recognize than there are cores; a cluster's are not this machine's."""
    if settings.address is not None:
        return None
    workers, threads = settings.parallelism()
    cores = available_cores()
    if workers * threads <= cores:
        return None
    return f"{workers} recognizers of {threads} threads on {cores} cores: slower, not faster"


def available_cores() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
