"""Where a stage of a Ray cluster works: what its actors are, a node's place for one, a call's use of it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Protocol

from decalage.runtimes.ray_actor import Actor, Node


class Crew(Protocol):
    """What the actors of a stage are."""

    @property
    def stage(self) -> str:
        """What it is called."""
        ...

    def seats(self, node: Node) -> int:
        """Calls at a time on ``node``; 0 where there is no room for it."""
        ...

    def hire(self, node: Node) -> Actor:
        """An actor there, not loaded. Returns at once."""
        ...

    def load(self, actor: Actor, node: Node) -> int:
        """Make it ready, for so many calls at a time, which are no more than its ``seats``.

        Raises what loading raises, ``WorkerLostError`` when it is gone.
        """
        ...


@dataclass(slots=True, eq=False)
class Post:
    """A node's place for an actor."""

    node: Node
    number: int
    """Which copy of the weights."""
    seats: int
    busy: int = 0
    actor: Actor | None = None
    """Ready; None while another is made, or where it was given up."""
    coming: Actor | None = None
    """Not ready yet."""
    starts: int = 0
    error: Exception | None = None
    """Why it is left out."""
    again_at: float = 0.0
    """When what is left out is tried again."""
    gone: bool = False
    """The node is."""

    @property
    def hopeful(self) -> bool:
        """Whether it is ready or may be soon."""
        return self.error is None and not self.gone


@dataclass(slots=True, eq=False)
class Turn:
    """A call's use of an actor."""

    post: Post
    actor: Actor
    lock: threading.Lock = field(default_factory=threading.Lock)
    over: bool = False
    late: bool = False
    """The actor was ended because of this call."""

    def end(self, why: str) -> None:
        """End the actor under this call; nothing once the call is over."""
        with self.lock:
            if self.over:
                return
            self.late = True
        self.actor.kill(why)

    def leave(self) -> None:
        """The call is over."""
        with self.lock:
            self.over = True
