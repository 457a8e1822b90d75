"""Whose turn it is on the actors of a cluster, without a cluster."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from decalage.errors import UsageError
from decalage.runtimes.calls import WorkerLostError
from decalage.runtimes.deadlines import START_LIMIT_S
from decalage.runtimes.ray_actor import Actor, Node
from decalage.runtimes.ray_fleet import AGAIN_S, DESERTED_S, STARTS, Fleet
from decalage.runtimes.ray_posts import Post, Turn
from decalage.testing import ManualClock
from decalage.testing.engines import Gate


class StandIn(Actor):
    """An actor of nobody: says what was done to it."""

    def __init__(self, node: Node) -> None:
        super().__init__(None, None, node.host)
        self.node = node
        self.killed = threading.Event()

    def kill(self, why: str) -> None:
        self.ended = self.ended or why
        self.killed.set()


@dataclass
class StandIns:
    """A ``Crew``; a node's gate holds the loading of its actors, a node's errors come one a load.

    ``memory``: where a node has it for fewer calls than it has seats.
    """

    stage: str = "work"
    gates: dict[str, Gate] = field(default_factory=dict)
    errors: dict[str, list[Exception]] = field(default_factory=dict)
    memory: dict[str, int] = field(default_factory=dict)
    hired: list[StandIn] = field(default_factory=list)

    def seats(self, node: Node) -> int:
        return int(node.cpus)

    def hire(self, node: Node) -> StandIn:
        self.hired.append(StandIn(node))
        return self.hired[-1]

    def load(self, actor: Actor, node: Node) -> int:
        if node.id in self.gates:
            self.gates[node.id].pass_through()
        errors = self.errors.get(node.id)
        if errors:
            raise errors.pop(0)
        if actor.ended is not None:
            raise WorkerLostError(actor.ended)
        return self.memory.get(node.id, self.seats(node))


def node(name: str, seats: int = 1) -> Node:
    return Node(name, name, float(seats), 0.0)


@contextmanager
def fleet_of(
    crew: StandIns,
    *nodes: Node,
    clock: ManualClock | None = None,
    begun: bool = True,
    ready: Callable[[], None] = lambda: None,
) -> Iterator[Fleet]:
    """A fleet that is closed at the end, with nothing of it left."""
    before = set(threading.enumerate())
    fleet = Fleet(crew, clock=clock or ManualClock(), ready=ready)
    try:
        fleet.attend(nodes)
        if begun:
            fleet.begun()
        yield fleet
    finally:
        fleet.close()
        for gate in crew.gates.values():
            gate.open()
        for thread in set(threading.enumerate()) - before:
            thread.join(30)
            assert not thread.is_alive()
    assert all(actor.killed.is_set() for actor in crew.hired)


class Holder:
    """Has a turn on a thread of its own, until it is let go."""

    def __init__(
        self, fleet: Fleet, *, urgent: bool = False, avoid: Post | None = None, told: list[str] | None = None
    ) -> None:
        self.turn: Turn | None = None
        self.error: Exception | None = None
        self.has = threading.Event()
        self._go = threading.Event()
        self._thread = threading.Thread(target=self._hold, args=(fleet, urgent, avoid, told))
        self._thread.start()

    def _hold(self, fleet: Fleet, urgent: bool, avoid: Post | None, told: list[str] | None) -> None:
        try:
            with fleet.turn(urgent=urgent, avoid=avoid) as self.turn:
                if told is not None:
                    told.append("urgent" if urgent else "other")
                self.has.set()
                self._go.wait(30)
        except WorkerLostError as error:
            self.error = error
            self.has.set()

    def leave(self) -> None:
        self._go.set()
        self._thread.join(30)

    @property
    def where(self) -> str:
        assert self.has.wait(30)
        assert self.turn is not None, self.error
        return self.turn.post.node.id


def wait(reached: Callable[[], bool]) -> None:
    """Until ``reached``; bounded by the test's timeout."""
    pace = threading.Event()
    while not reached():
        pace.wait(0.001)


def assert_no_starts() -> None:
    """Wait for the threads that make actors."""
    for thread in threading.enumerate():
        if thread.name.startswith("ray-work"):
            thread.join(30)
            assert not thread.is_alive()


def test_a_node_takes_as_many_calls_as_its_actor_was_loaded_for() -> None:
    crew = StandIns(memory={"small": 1})
    with fleet_of(crew, node("small", 3), node("large", 2)) as fleet:
        assert fleet.seats == 3
        holders = [Holder(fleet) for _ in range(3)]
        assert sorted(each.where for each in holders) == ["large", "large", "small"]
        fourth = Holder(fleet)
        wait(lambda: fleet.waiting == 1)
        crew.memory.clear()
        first = next(each for each in holders if each.where == "small")
        assert first.turn is not None
        assert fleet.lost(first.turn, "its process died")
        wait(lambda: fleet.seats == 5)
        assert fourth.where == "small"
        for each in (*holders, fourth):
            each.leave()


def test_a_turn_is_where_most_is_free_and_never_more_than_there_are_seats() -> None:
    with fleet_of(StandIns(), node("small", 1), node("large", 3)) as fleet:
        assert fleet.seats == 4
        holders = [Holder(fleet) for _ in range(4)]
        assert sorted(holder.where for holder in holders) == ["large", "large", "large", "small"]
        fifth = Holder(fleet)
        assert not fifth.has.wait(0.05)
        holders[0].leave()
        assert fifth.where == holders[0].where
        for holder in [*holders[1:], fifth]:
            holder.leave()


def test_who_has_lost_an_actor_goes_first_and_elsewhere_if_it_can() -> None:
    told: list[str] = []
    with fleet_of(StandIns(), node("a"), node("b")) as fleet:
        first, second = Holder(fleet), Holder(fleet)
        assert {first.where, second.where} == {"a", "b"}
        other = Holder(fleet, told=told)
        wait(lambda: threading.active_count() >= 4)
        assert first.turn is not None
        again = Holder(fleet, urgent=True, avoid=first.turn.post, told=told)
        wait(lambda: fleet.waiting == 2)
        second.leave()
        assert again.where == second.where
        first.leave()
        assert other.where == first.where
        assert told == ["urgent", "other"]
        other.leave()
        again.leave()
        assert first.turn is not None
        alone = Holder(fleet, urgent=True, avoid=first.turn.post)
        assert alone.where == second.where
        alone.leave()


def test_a_lost_actor_is_gone_before_there_is_another() -> None:
    alive: list[int] = []

    class Counting(StandIns):
        def hire(self, node: Node) -> StandIn:
            alive.append(sum(not actor.killed.is_set() for actor in self.hired))
            return super().hire(node)

    crew = Counting()
    with fleet_of(crew, node("a")) as fleet:
        holder = Holder(fleet)
        assert holder.where == "a"
        assert holder.turn is not None
        fleet.lost(holder.turn, "it hung")
        holder.leave()
        assert_no_starts()
    assert alive == [0, 0]


def test_a_lost_actor_is_replaced_once_however_many_lost_it() -> None:
    crew = StandIns()
    with fleet_of(crew, node("a", 2)) as fleet:
        one, two = Holder(fleet), Holder(fleet)
        assert one.where == two.where == "a"
        assert one.turn is not None
        assert two.turn is not None
        assert fleet.lost(one.turn, "it died")
        assert not fleet.lost(two.turn, "it died")
        one.leave()
        two.leave()
        third = Holder(fleet)
        assert third.where == "a"
        assert third.turn is not None
        assert third.turn.actor is crew.hired[1]
        third.leave()
        assert len(crew.hired) == 2
        assert crew.hired[0].killed.is_set()


def test_a_call_ends_its_actor_but_not_once_it_is_over() -> None:
    with fleet_of(StandIns(), node("a")) as fleet:
        with fleet.turn() as turn:
            pass
        turn.end("too late")
        assert turn.actor.ended is None
        with fleet.turn() as turn:
            turn.end("no answer")
        assert turn.late
        assert turn.actor.ended == "no answer"


def test_a_node_that_left_takes_its_actor_along_even_one_that_loads() -> None:
    crew = StandIns(gates={"b": Gate()})
    with fleet_of(crew, node("a"), node("b"), begun=False) as fleet:
        crew.gates["b"].wait_inside(1)
        wait(lambda: fleet.seats == 1)
        fleet.attend([node("b")])
        assert fleet.seats == 0
        assert next(actor for actor in crew.hired if actor.node.id == "a").killed.is_set()
        fleet.attend([])
        loading = next(actor for actor in crew.hired if actor.node.id == "b")
        assert loading.killed.is_set()
        crew.gates["b"].open()
        assert fleet.seats == 0


def test_a_node_that_joins_has_seats_for_who_waits() -> None:
    with fleet_of(StandIns(), node("a")) as fleet:
        first = Holder(fleet)
        assert first.where == "a"
        second = Holder(fleet)
        fleet.attend([node("a"), node("b")])
        assert second.where == "b"
        for holder in (first, second):
            holder.leave()


def test_a_node_where_loading_fails_is_left_out_and_the_reason_raised_where_it_is_the_only_one() -> None:
    crew = StandIns(errors={"a": [OSError("no model")]})
    with fleet_of(crew, node("a"), node("b")) as fleet:
        assert fleet.seats == 1
    crew = StandIns(errors={"a": [OSError("no model")]})
    with pytest.raises(OSError, match="no model"), fleet_of(crew, node("a")):
        pass


def test_a_node_that_was_left_out_is_tried_again_after_minutes() -> None:
    clock, crew = ManualClock(), StandIns(errors={"a": [OSError("no model"), OSError("still none")]})
    both = [node("a"), node("b")]
    with fleet_of(crew, *both, clock=clock) as fleet:
        for hired in (3, 4):
            clock.advance(AGAIN_S - 1)
            fleet.attend(both)
            assert len(crew.hired) == hired - 1
            clock.advance(1)
            fleet.attend(both)
            assert_no_starts()
            assert len(crew.hired) == hired
        assert fleet.seats == 2
        fleet.attend(both)
        assert len(crew.hired) == 4


def test_that_no_node_is_left_is_told_once_one_was_waited_for_in_vain() -> None:
    clock, crew = ManualClock(), StandIns(errors={"b": [OSError("no model")]})
    with fleet_of(crew, node("a"), node("b"), clock=clock) as fleet:
        fleet.attend([node("b")])
        assert fleet.stranded is None
        lost = Holder(fleet)
        clock.until_waiting(1)
        assert fleet.stranded is None
        clock.advance(DESERTED_S)
        assert lost.has.wait(30)
        assert fleet.stranded == str(lost.error) == "no node is left for work (b: OSError: no model)"
        lost.leave()
        fleet.attend([node("b"), node("c")])
        assert fleet.stranded is None


def test_fewer_seats_are_told_as_more_are() -> None:
    told: list[str] = []
    with fleet_of(StandIns(), node("a"), node("b", 2), ready=lambda: told.append("changed")) as fleet:
        wait(lambda: len(told) == 2)
        assert fleet.seats == 3
        fleet.attend([node("a"), node("b", 2)])
        assert len(told) == 2
        fleet.attend([node("a")])
        assert (len(told), fleet.seats) == (3, 1)


def test_actors_that_die_while_they_load_are_tried_a_few_times() -> None:
    crew = StandIns(errors={"a": [WorkerLostError("died")] * (STARTS - 1)})
    with fleet_of(crew, node("a")) as fleet:
        assert fleet.seats == 1
        assert len(crew.hired) == STARTS
    crew = StandIns(errors={"a": [WorkerLostError("died")] * STARTS})
    with pytest.raises(WorkerLostError, match="died"), fleet_of(crew, node("a")):
        pass


def test_without_a_node_a_call_waits_a_minute_for_one() -> None:
    clock = ManualClock()
    with fleet_of(StandIns(), node("a"), clock=clock) as fleet:
        fleet.attend([])
        saved = Holder(fleet)
        clock.until_waiting(1)
        clock.advance(DESERTED_S - 1)
        fleet.attend([node("b")])
        assert saved.where == "b"
        saved.leave()
        fleet.attend([])
        lost = Holder(fleet)
        clock.until_waiting(1)
        clock.advance(DESERTED_S)
        assert lost.has.wait(30)
        assert str(lost.error) == "no node is left for work"
        lost.leave()


def test_the_minute_begins_anew_each_time_all_nodes_are_gone() -> None:
    clock = ManualClock()
    with fleet_of(StandIns(), node("a"), clock=clock) as fleet:
        for name in ("b", "c"):
            fleet.attend([])
            lost = Holder(fleet)
            clock.until_waiting(1)
            assert fleet.deserted
            clock.advance(DESERTED_S)
            assert lost.has.wait(30)
            assert "no node is left" in str(lost.error)
            lost.leave()
            fleet.attend([node(name)])
            wait(lambda: fleet.seats == 1)
            assert not fleet.deserted
            clock.advance(3600)


def test_a_call_does_not_wait_for_ever_for_an_actor_that_loads() -> None:
    clock, crew = ManualClock(), StandIns(gates={"b": Gate()})
    with fleet_of(crew, node("a"), clock=clock) as fleet:
        fleet.attend([node("b")])
        held = Holder(fleet)
        clock.until_waiting(1)
        assert not fleet.deserted
        clock.advance(START_LIMIT_S)
        assert held.has.wait(30)
        assert str(held.error) == f"nothing got ready within {START_LIMIT_S:g} s for work"
        held.leave()
        crew.gates["b"].open()
        wait(lambda: fleet.seats == 1)
        later = Holder(fleet)
        assert later.where == "b"
        later.leave()


def test_close_ends_waiting_and_loading() -> None:
    crew = StandIns(gates={"b": Gate()})
    with fleet_of(crew, node("a"), node("b"), begun=False) as fleet:
        wait(lambda: fleet.seats == 1)
        first = Holder(fleet)
        assert first.where == "a"
        second = Holder(fleet)
        wait(lambda: fleet.waiting == 1)
        fleet.close()
        assert second.has.wait(30)
        assert str(second.error) == "the runtime is closed"
        fleet.await_seat()
        first.leave()
        second.leave()


def test_nodes_without_room_are_no_reason_to_wait_for_ever() -> None:
    with pytest.raises(UsageError, match="no node had room for work"), fleet_of(StandIns(), node("a", 0)):
        pass
