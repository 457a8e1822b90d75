"""Ray: recognizers and translators as actors on every node of a cluster, for more than one machine.

::

    capture ─▶ inbox ─▶ VAD ─▶ schedule ─▶ ASR × N ─▶ schedule ─▶ MT ─▶ reorder ─▶ events
    a thread            thread             threads                threads
                                           ║                      ║
                                 an actor a node, N calls     an actor a node
                                 at a time over one set
                                 of weights

As in ``processes`` the threads here only wait, and order, bounds and fairness are kept in this process:
nothing on a node cannot be given again. An utterance whose actor or node dies is tried on another. What
is not survived is the end of this program, of its own node, or of the cluster's head.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from typing import ClassVar, TypeVar

from decalage.clock import SystemClock
from decalage.contracts import StageBlueprint, Translator
from decalage.errors import UsageError
from decalage.runtimes.calls import RecognizedJob, Seat, Translations, WorkerLostError, reason
from decalage.runtimes.deadlines import START_LIMIT_S, overdue, timed
from decalage.runtimes.job import Job
from decalage.runtimes.ray_actor import Node
from decalage.runtimes.ray_cluster import Connection, connect, release
from decalage.runtimes.ray_crews import Recognizers, Translators
from decalage.runtimes.ray_fleet import Fleet
from decalage.runtimes.ray_posts import Post, Turn
from decalage.runtimes.ray_services import ActorRecognizer, ActorTranslator, Caller
from decalage.runtimes.staged import StagedRuntime
from decalage.runtimes.workers import WorkerPool

logger = logging.getLogger(__name__)

T = TypeVar("T")

_CRASHES = 3
"""Actors that may end by themselves under an utterance. Those who saw one end so are tried one after the
other: one that ends whoever hears it takes nobody else with it."""
_TRIES = 12
"""Of an utterance in all, with those that ended with a node or for what another one did."""
_WATCH_S = 2.0
"""From one look for nodes that joined or left to the next; who calls a lost one knows at once."""


class GrowingPool(WorkerPool):
    """A pool whose size follows that of a cluster."""

    def grow(self, size: int) -> None:
        """At least ``size`` workers from now on."""
        with self._condition:
            self._size = max(self._size, size)
            for _ in range(min(len(self._queue) - self._idle, self._size - self._at_work())):
                self._start_worker()


class RayRuntime(StagedRuntime):
    """The work on nodes of a Ray cluster, or in a few processes of this machine where none is named."""

    name: ClassVar[str] = "ray"
    attempts: ClassVar[int] = 2

    def _make_pools(self) -> None:
        super()._make_pools()
        self._asr_pool = GrowingPool("asr", 1, clock=self.clock)
        self._mt_pool = GrowingPool("mt", 1, clock=self.clock)
        self._asr, self._mt = self._asr_pool, self._mt_pool
        self._connection: Connection | None = None
        self._fleets: list[Fleet] = []
        self._watch: threading.Thread | None = None
        self._leaving = threading.Event()
        self._suspect = threading.Lock()
        self._sizing = threading.Lock()

    def _load(self, blueprint: StageBlueprint) -> None:
        """The actors of all nodes at the same time."""
        share = self.options.cluster
        connection = self._connection = connect(share.address)
        recognizers = Recognizers(connection, blueprint, self.options.workers, share)
        nodes = connection.nodes()
        if not any(recognizers.seats(node) for node in nodes):
            what = "a GPU" if share.gpu else f"{share.threads} processors for a recognition"
            raise UsageError(f"no node of the cluster has {what}; it has {_described(nodes)}")
        self._recognizers = Fleet(recognizers, clock=self.clock, ready=self._resize)
        self._translators = Fleet(Translators(recognizers), clock=self.clock, ready=self._resize)
        self._fleets = [self._recognizers, self._translators]
        for fleet in self._fleets:
            fleet.attend(nodes)
        for fleet in self._fleets:
            fleet.begun()
        self._resize()
        logger.info("%s: %d recognitions at a time", _described(nodes), self._recognizers.seats)
        if not connection.local:
            self._watch = threading.Thread(target=self._look, name="ray-nodes", daemon=True)
            self._watch.start()

    def _look(self) -> None:
        """See to it that each node has its actors, until ``close``. Ray tells nobody who joins or leaves."""
        assert self._connection is not None  # noqa: S101 - it is what made this thread
        known = self._connection.nodes()
        while not self._leaving.wait(_WATCH_S):
            try:
                nodes = self._connection.nodes()
            except Exception as error:  # the head is restarted, say
                logger.warning("the cluster does not tell its nodes: %s", reason(error))
                continue
            if nodes != known:
                logger.warning("the cluster has now %s", _described(nodes))
                known = nodes
            for fleet in self._fleets:
                fleet.attend(nodes)

    def _resize(self) -> None:
        with self._sizing:
            seats = self._recognizers.seats
            self.options = replace(self.options, workers=max(seats, 1))  # what who gives work goes by
            self._asr_pool.grow(seats)
            self._mt_pool.grow(self._translators.seats)

    @property
    def actors(self) -> dict[str, dict[str, int]]:
        """Process id by stage and node of each actor that is ready."""
        return {"asr": self._recognizers.crews, "mt": self._translators.crews}

    @property
    def deserted(self) -> bool:
        """Whether work waits for a node to join, for there is none."""
        return any(fleet.deserted for fleet in self._fleets)

    @property
    def stranded(self) -> str | None:
        return next((told for fleet in self._fleets if (told := fleet.stranded) is not None), None)

    @property
    def _sketch_limit(self) -> int:
        return max(1, self._recognizers.seats - 1)

    def _recognize(self) -> None:
        """Not before an actor is free: then the schedule says what is most urgent."""
        self._recognizers.await_seat()
        super()._recognize()

    def _translate(self) -> None:
        self._translators.await_seat()
        super()._translate()

    def _recognized(self, job: Job, given_up: Callable[[], None]) -> RecognizedJob | None:  # noqa: ARG002
        """An actor that is given up is ended, so the call returns."""
        limit_s = self.options.asr_limit_s(job.utterance.duration)

        def recognize(turn: Turn, _: Callable[[float], None]) -> RecognizedJob | None:
            caller = Caller(turn.actor)
            engine = ActorRecognizer(caller, self._joined)
            return self._calls.recognize(job, Seat(engine, turn.post.number, caller))

        try:
            return self._tried(recognize, job, self._recognizers, self._asr, limit_s)
        except Exception as error:
            job.fail("asr", reason(error))
            return None

    def _conclude(self, work: Translations) -> None:
        job, limit_s = work.recognized.job, self.options.mt_deadline_s

        def translate(turn: Turn, renew: Callable[[float], None]) -> None:
            caller = Caller(turn.actor)
            seat: Seat[Translator] = Seat(ActorTranslator(caller), turn.post.number, caller)
            self._calls.translate(work, timed(seat, renew, self.options))

        try:
            self._tried(translate, job, self._translators, self._mt, limit_s)
        except Exception as error:
            self._calls.give_up(work, reason(error))

    @property
    def _joined(self) -> Connection:
        assert self._connection is not None  # noqa: S101 - since ``_load``
        return self._connection

    def _tried(
        self,
        call: Callable[[Turn, Callable[[float], None]], T],
        job: Job,
        fleet: Fleet,
        pool: WorkerPool,
        limit_s: float,
    ) -> T:
        """``call(turn, renew)``, on another actor when its own is lost. Raises what the last try raised.

        Past its deadline an actor is ended. Others that it was at work for are no worse for it, and nobody
        is for the end of a node.
        """
        hangs = crashes = 0
        lost_at: Post | None = None
        for tried in range(_TRIES):
            alone: AbstractContextManager[object] = self._suspect if crashes else nullcontext()
            with alone, fleet.turn(avoid=lost_at, urgent=tried > 0) as turn:
                try:
                    with pool.deadline(limit_s, partial(_end, turn), stays=True) as renew:
                        result = call(turn, renew)
                except WorkerLostError as error:
                    lost, lost_at = error, turn.post
                else:
                    fleet.answered(turn)
                    return result
                hangs += turn.late
                crashes += turn.actor.crashed and turn.actor.ended is None
                if self._closed or not job.stream.wants(job):
                    raise lost
                if fleet.lost(turn, str(lost)):
                    self._calls.mark("worker replaced", f"{turn.actor.name}: {lost}")
            if hangs >= self.attempts or crashes >= _CRASHES:
                break
            self._calls.mark("retry", f"{job.stream.name}#{job.utterance.index}")
        raise lost

    def _end_workers(self, until: float) -> None:  # noqa: ARG002 - killed, not asked: nothing to wait for
        self._leaving.set()
        for fleet in self._fleets:
            fleet.close()

    def _let_go(self) -> None:
        clock = SystemClock()
        until = clock.now() + START_LIMIT_S  # their actors are killed: it takes no time
        for fleet in self._fleets:
            fleet.join(until)
        if self._watch is not None:
            self._watch.join(max(0.0, until - clock.now()))  # a head that does not answer holds it up
        if self._connection is not None:
            release(self._connection)


def _end(turn: Turn, limit_s: float) -> None:
    turn.end(overdue(limit_s))


def _described(nodes: list[Node]) -> str:
    """The nodes for a person."""
    told = ", ".join(f"{node.host}: {node.cpus:g}" for node in nodes[:8])
    more = f" and {len(nodes) - 8} more" if len(nodes) > 8 else ""
    return f"{len(nodes)} node{'' if len(nodes) == 1 else 's'} (processors of {told}{more})"
