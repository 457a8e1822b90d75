"""The actors of one stage, one on each node of a cluster, and whose turn it is.

::

    attend(nodes) ─▶ posts, one a node ─▶ start: a thread makes the actor ─▶ ready ─▶ turn() ─▶ a call
                                            ▲                                          │
                                            └──────── lost(turn): its actor is gone ◀──┘

An actor answers as many calls at a time as it has seats, over one set of weights, so no node holds more
calls than that and none waits at a node. One that is gone is replaced on its node; with the node, its
seats are gone until it, or another, joins. A node of a cluster where it cannot be made is left out, and
tried again after some minutes.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from decalage.clock import Clock, SystemClock
from decalage.errors import UsageError, one_line
from decalage.runtimes.calls import WorkerLostError, reason
from decalage.runtimes.deadlines import START_LIMIT_S
from decalage.runtimes.ray_actor import Actor, Node
from decalage.runtimes.ray_posts import Crew, Post, Turn

logger = logging.getLogger(__name__)

STARTS = 4
"""Actors of a node that may die one after the other before one has answered: then it is left out."""
STRAGGLERS_S = 30.0
"""Once a node is ready, the others have so long to be there at the start; later they join."""
AGAIN_S = 300.0
"""After so long a node that was left out is tried again."""
DESERTED_S = 60.0
"""With no node left, calls wait so long for one that joins."""


class Fleet:
    """Posts, and turns on them. Every method may be called from any thread."""

    def __init__(self, crew: Crew, *, clock: Clock, ready: Callable[[], None]) -> None:
        """``ready()`` is called, on any thread, when there may be more seats, or fewer nodes."""
        self._crew = crew
        self._clock = clock
        self._ready = ready
        self._condition = threading.Condition()
        self._posts: list[Post] = []
        self._numbers = 0
        self._urgent = 0
        self._waiting = 0
        # Since when calls wait with nobody ready; true: nobody is coming either.
        self._unready: tuple[bool, float] | None = None
        self._closed = False
        self._threads: list[threading.Thread] = []

    def __repr__(self) -> str:
        return f"<Fleet {self._crew.stage} seats={self.seats} posts={len(self._posts)}>"

    @property
    def seats(self) -> int:
        """Calls at a time now."""
        with self._condition:
            return sum(post.seats for post in self._posts if post.actor is not None)

    @property
    def waiting(self) -> int:
        """Calls that wait for a seat."""
        with self._condition:
            return self._waiting

    @property
    def crews(self) -> dict[str, int]:
        """Process id by node of each actor that is ready."""
        with self._condition:
            return {post.node.id: post.actor.pid for post in self._posts if post.actor is not None}

    @property
    def deserted(self) -> bool:
        """Whether a call waits for a node to join, for there is none."""
        with self._condition:
            return self._unready is not None and self._unready[0]

    @property
    def stranded(self) -> str | None:
        """Why calls fail at once: with no node left, one was waited for in vain; None: they do not."""
        with self._condition:
            waited = self._unready is not None and self._unready[0] and self._until() <= self._clock.now()
            return self._told(hopeless=True) if waited and self._hopeless() else None

    def attend(self, nodes: Sequence[Node]) -> None:
        """These are the nodes now: have an actor on each, forget those of the others."""
        there = {node.id for node in nodes}
        now = self._clock.now()
        with self._condition:
            left = [post for post in self._posts if post.node.id not in there]
            for post in left:
                post.gone = True
                self._posts.remove(post)
            for post in self._posts:
                if post.error is not None and now >= post.again_at and not self._closed:
                    post.error, post.starts = None, 0
                    self._begin(post)
            known = {post.node.id for post in self._posts}
            for node in nodes:
                seats = self._crew.seats(node)
                if node.id not in known and seats and not self._closed:
                    self._posts.append(post := Post(node, self._numbers, seats))
                    self._numbers += 1
                    self._begin(post)
            self._condition.notify_all()
        for post in left:
            for actor in filter(None, (post.actor, post.coming)):
                actor.kill("its node left the cluster")
        if left and not self._closed:
            self._ready()

    def begun(self) -> None:
        """Wait for the actors of the start. Raises why there is none."""
        with self._condition:
            if not self._condition.wait_for(self._none_coming, STRAGGLERS_S):
                late = ", ".join(post.node.host for post in self._posts if post.actor is None)
                logger.warning("%s: not ready yet, or without room: %s", self._crew.stage, late)
            self._condition.wait_for(lambda: self._any_ready() or self._none_coming(), START_LIMIT_S)
            if self._any_ready():
                return
            errors = [post.error for post in self._posts if post.error is not None]
        if errors:
            raise errors[0]
        raise UsageError(
            f"no node had room for {self._crew.stage} within {START_LIMIT_S:g} s: end what is there"
        )

    def await_seat(self) -> None:
        """Return when somebody is free, or nobody will be."""
        with self._condition:
            self._condition.wait_for(lambda: self._free(None) is not None or self._hopeless())

    @contextmanager
    def turn(self, *, avoid: Post | None = None, urgent: bool = False) -> Iterator[Turn]:
        """A seat at the node that is least busy; waits for one. ``avoid`` only where no other is free.

        Who is ``urgent`` goes first. Raises ``WorkerLostError`` when there will be none.
        """
        turn = self._taken(avoid, urgent=urgent)
        try:
            yield turn
        finally:
            turn.leave()
            with self._condition:
                turn.post.busy -= 1
                self._condition.notify_all()

    def _taken(self, avoid: Post | None, *, urgent: bool) -> Turn:
        with self._condition:
            self._urgent += urgent
            self._waiting += 1
            try:
                while True:
                    post = self._free(avoid)
                    if post is not None and post.actor is not None and (urgent or not self._urgent):
                        post.busy += 1
                        return Turn(post, post.actor)
                    self._wait()
            finally:
                self._urgent -= urgent
                self._waiting -= 1
                self._condition.notify_all()

    def _wait(self) -> None:
        """Until something changes. Raises ``WorkerLostError`` when nothing will."""
        if self._closed:
            raise WorkerLostError("the runtime is closed")
        if self._any_ready():
            self._condition.wait()
            return
        now, hopeless = self._clock.now(), self._hopeless()
        if self._unready is None or self._unready[0] != hopeless:
            self._unready = hopeless, now
        if now >= self._until():
            raise WorkerLostError(self._told(hopeless=hopeless))
        self._clock.wait(self._condition, self._until())

    def _until(self) -> float:
        """When calls that wait with nobody ready give up."""
        assert self._unready is not None  # noqa: S101 - one waits
        hopeless, since = self._unready
        return since + (DESERTED_S if hopeless else START_LIMIT_S)

    def _told(self, *, hopeless: bool) -> str:
        told = "no node is left" if hopeless else f"nothing got ready within {START_LIMIT_S:g} s"
        why = "; ".join(f"{post.node.host}: {reason(post.error)}" for post in self._posts if post.error)
        return f"{told} for {self._crew.stage}" + (why and f" ({why})")

    def lost(self, turn: Turn, why: str) -> bool:
        """The actor of ``turn`` is gone, or is to be: have another made. False if that was known."""
        with self._condition:
            if turn.post.actor is not turn.actor:
                return False
            turn.post.actor = None
        turn.actor.kill(why)  # before there is another: its node may have memory for one
        with self._condition:
            if not turn.post.gone and not self._closed:
                self._begin(turn.post)
            self._condition.notify_all()
        return True

    def answered(self, turn: Turn) -> None:
        """The actor of ``turn`` does its work."""
        turn.post.starts = 0

    def close(self) -> None:
        """End all actors, and the waiting of everybody. Idempotent."""
        with self._condition:
            self._closed = True
            actors = [actor for post in self._posts for actor in (post.actor, post.coming)]
            self._condition.notify_all()
        for actor in filter(None, actors):
            actor.kill("closed")

    def join(self, until: float) -> None:
        """After ``close``: wait for the threads that make actors, until then on the system clock."""
        for thread in list(self._threads):
            thread.join(max(0.0, until - SystemClock().now()))

    def _free(self, avoid: Post | None) -> Post | None:
        free = [post for post in self._posts if post.actor is not None and post.busy < post.seats]
        return min(free, key=lambda post: (post is avoid, post.busy / post.seats), default=None)

    def _hopeless(self) -> bool:
        return self._closed or not any(post.hopeful for post in self._posts)

    def _any_ready(self) -> bool:
        return any(post.actor is not None for post in self._posts)

    def _none_coming(self) -> bool:
        return self._closed or all(post.actor is not None or not post.hopeful for post in self._posts)

    def _begin(self, post: Post) -> None:
        """Make an actor for ``post`` on a thread of its own; the condition is held."""
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        thread = threading.Thread(
            target=self._start, args=(post,), name=f"ray-{self._crew.stage}-{post.number}", daemon=True
        )
        self._threads.append(thread)
        thread.start()

    def _start(self, post: Post) -> None:
        """A start's whole life: tries until an actor is ready, or there is no hope for it."""
        while True:
            try:
                actor = self._hired(post)
                if actor is None:
                    return
                post.seats = self._crew.load(actor, post.node)
                error: Exception | None = None
            except WorkerLostError as lost:
                post.starts += 1
                if lost.begun and post.starts < STARTS and not post.gone and not self._closed:
                    logger.info("%s: started again: %s", post.node.host, lost)
                    continue
                error = lost
            except Exception as failed:
                error = failed
            self._settle(post, error)
            return

    def _hired(self, post: Post) -> Actor | None:
        """An actor that ``close`` and ``attend`` know of; None when it is not wanted any more."""
        actor = self._crew.hire(post.node)
        with self._condition:
            wanted = not (self._closed or post.gone)
            before, post.coming = post.coming, actor if wanted else None
        for unwanted in filter(None, (before, None if wanted else actor)):
            unwanted.kill("it was not ready in time" if wanted else "closed")
        return actor if wanted else None

    def _settle(self, post: Post, error: Exception | None) -> None:
        """``post`` is ready, or left out with ``error``."""
        with self._condition:
            actor, post.coming = post.coming, None
            wanted = error is None and not (self._closed or post.gone)
            post.actor = actor if wanted else None
            post.error, post.again_at = error, self._clock.now() + AGAIN_S
            if wanted:
                self._unready = None
            self._condition.notify_all()
        if not wanted and actor is not None:
            actor.kill("closed")
        if self._closed or post.gone:
            return
        if error is not None:
            left = isinstance(error, WorkerLostError) and not error.begun  # the node: who watches them tells
            level = logging.INFO if left else logging.WARNING
            logger.log(level, "%s is left out for now: %s", post.node.host, one_line(reason(error)))
        self._ready()
