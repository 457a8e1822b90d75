"""Two nodes on this machine: weights once on each, and what becomes of utterances when one dies or joins."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from decalage.config import ClusterOptions, StreamOptions
from decalage.errors import NoRoomError, UsageError
from decalage.flow.trace import Trace
from decalage.runtimes.local import LocalRuntime
from decalage.runtimes.ray_runtime import RayRuntime
from decalage.testing.engines import FakeBlueprint, FakeRecognizer, Gate, speech
from tests.runtimes.kit import feed_all, gone, interpret, need_ray, ray_kept, running, texts

pytestmark = pytest.mark.ray

ROOT = Path(__file__).parents[2]
_STORE_BYTES = 80_000_000


@dataclass
class Nodes:
    """A cluster of this test's own, on this machine; the head has two processors."""

    cluster: Any

    @property
    def address(self) -> str:
        return str(self.cluster.address)

    def add(self, **resources: float) -> Any:
        """One more, as large unless ``resources`` say otherwise."""
        return self.cluster.add_node(**{"num_cpus": 2, "object_store_memory": _STORE_BYTES, **resources})

    def kill(self, node: Any) -> None:
        """All processes of ``node`` at once."""
        self.cluster.remove_node(node, allow_graceful=False)

    def options(self, **more: Any) -> ClusterOptions:
        """What a runtime is told."""
        return ClusterOptions(address=self.address, **more)


@pytest.fixture(scope="module")
def head() -> Iterator[Any]:
    """A cluster of one node, which takes seconds to start."""
    need_ray()
    ray_kept.end()  # a program is part of one cluster at a time
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        from ray.cluster_utils import Cluster  # noqa: PLC0415 - an extra

        resources = {"num_cpus": 2, "object_store_memory": _STORE_BYTES}
        cluster = Cluster(initialize_head=True, head_node_args={**resources, "include_dashboard": False})
        try:
            yield cluster
        finally:
            cluster.shutdown()


@pytest.fixture
def nodes(head: Any) -> Iterator[Nodes]:
    there = Nodes(head)
    yield there
    for node in set(head.worker_nodes):
        head.remove_node(node)


def actors(runtime: LocalRuntime) -> dict[str, int]:
    assert isinstance(runtime, RayRuntime)
    return runtime.actors["asr"]


def wait(reached: Callable[[], bool]) -> None:
    """Until ``reached``; bounded by the test's timeout."""
    pace = threading.Event()
    while not reached():
        pace.wait(0.02)


def test_each_node_has_the_weights_once_and_as_many_calls_as_workers(nodes: Nodes) -> None:
    nodes.add()
    trace, gate = Trace(), Gate()
    blueprint = FakeBlueprint(FakeRecognizer(gate=gate))
    with running("ray", blueprint, workers=2, trace=trace, cluster=nodes.options()) as runtime:
        stream = runtime.open(StreamOptions())
        feeding = threading.Thread(target=feed_all, args=(stream, speech(list(range(1, 9)))))
        feeding.start()
        gate.wait_inside(4)
        assert len(blueprint.fake_recognizer.calls) == 4
        gate.open()
        assert texts(list(stream)) == [f"word {n}" for n in range(1, 9)]
        feeding.join()
        at_work = actors(runtime)
    assert sorted(blueprint.loads) == [2, 2]
    assert len(at_work) == 2
    assert {span.process for span in trace.spans("asr")} == set(at_work.values())
    assert {span.replica for span in trace.spans("asr")} == {0, 1}


def test_what_a_dying_node_was_at_is_done_on_another_and_in_order(nodes: Nodes) -> None:
    second, trace, gate = nodes.add(), Trace(), Gate()
    blueprint = FakeBlueprint(FakeRecognizer(gate=gate))
    with running("ray", blueprint, workers=2, trace=trace, cluster=nodes.options()) as runtime:
        stream = runtime.open(StreamOptions())
        stream.feed(speech([1, 2, 3, 4, 5, 6]))
        stream.finish()
        gate.wait_inside(4)
        nodes.kill(second)
        wait(lambda: [mark.name for mark in trace.marks()].count("retry") >= 2)
        gate.open()
        assert texts(list(stream)) == [f"word {n}" for n in range(1, 7)]
        wait(lambda: len(actors(runtime)) == 1)
        wait(lambda: runtime.options.workers == 2)
        assert runtime.stranded is None
    assert {mark.name for mark in trace.marks()} == {"worker replaced", "retry"}


def test_a_node_that_joins_takes_part(nodes: Nodes) -> None:
    gate, trace = Gate(), Trace()
    blueprint = FakeBlueprint(FakeRecognizer(gate=gate))
    with running("ray", blueprint, workers=1, trace=trace, cluster=nodes.options()) as runtime:
        stream = runtime.open(StreamOptions())
        stream.feed(speech([1, 2]))
        stream.finish()
        gate.wait_inside(1)
        nodes.add()
        gate.wait_inside(2)
        assert runtime.options.workers == 2
        gate.open()
        assert texts(list(stream)) == ["word 1", "word 2"]
    assert len({span.process for span in trace.spans("asr")}) == 2


def test_a_node_is_filled_or_passed_over_by_its_processors_and_gpus(nodes: Nodes) -> None:
    import ray  # noqa: PLC0415 - an extra

    nodes.add(num_cpus=3, num_gpus=1)
    blueprint = FakeBlueprint()
    with running("ray", blueprint, workers=1, cluster=nodes.options(fill=True)) as runtime:
        assert sorted(blueprint.loads) == [2, 3]
        assert runtime.options.workers == 5
        assert ray.available_resources().get("CPU", 0) == pytest.approx(0)
    blueprint.loads.clear()
    with running("ray", blueprint, workers=4, cluster=nodes.options(threads=3)):
        assert blueprint.loads == [1], "two processors are too few for three threads"
    blueprint.loads.clear()
    with running("ray", blueprint, workers=2, cluster=nodes.options(gpu=True)):
        assert blueprint.loads == [2]
        assert ray.available_resources().get("GPU", 0) == 0
    with (
        pytest.raises(UsageError, match=r"no node of the cluster has 4 processors .* it has 2 nodes"),
        running("ray", cluster=nodes.options(threads=4)),
    ):
        pass


@dataclass
class Narrow(FakeBlueprint):
    """Every machine has memory for two recognitions at a time, though it seems more while it is asked."""

    def recognizer(self, concurrency: int) -> FakeRecognizer:
        if concurrency > 2:
            raise NoRoomError(f"no memory for {concurrency}", concurrency - 1)
        return super().recognizer(concurrency)


def test_a_node_with_less_memory_than_processors_is_filled_as_far_as_that_goes(
    nodes: Nodes, caplog: pytest.LogCaptureFixture
) -> None:
    nodes.add(num_cpus=5)
    blueprint = Narrow()
    with running("ray", blueprint, workers=1, cluster=nodes.options(fill=True)) as runtime:
        assert blueprint.loads == [2, 2]
        assert runtime.options.workers == 4
        assert texts(interpret(runtime, list(range(1, 9)))) == [f"word {n}" for n in range(1, 9)]
    assert "has memory for 2 of 5 recognitions at a time: it is given so many" in caplog.text
    blueprint.loads.clear()
    with running("ray", blueprint, workers=5, cluster=nodes.options()) as runtime:
        assert blueprint.loads == [2], "asked for five, the larger one is left out"
        assert runtime.options.workers == 2
    assert "is left out for now: no memory for 5" in caplog.text


def test_a_closed_runtime_has_no_actor_in_a_cluster_that_goes_on(nodes: Nodes) -> None:
    nodes.add()
    with running("ray", workers=2, cluster=nodes.options()) as runtime:
        assert isinstance(runtime, RayRuntime)
        at_work = [pid for stage in runtime.actors.values() for pid in stage.values()]
        assert len(at_work) == 4
    for pid in at_work:
        gone(pid)
    assert nodes.cluster.head_node.remaining_processes_alive()


_OTHER_RAY = """
import sys
import ray
ray.__version__ = "1.0.0"
from decalage.errors import DecalageError
from decalage.runtimes.ray_cluster import connect
try:
    connect(sys.argv[1])
except DecalageError as error:
    print(error.exit_code, error)
"""


def test_a_cluster_of_another_ray_is_refused_in_one_line(nodes: Nodes) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _OTHER_RAY, nodes.address],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    (line,) = done.stdout.splitlines()
    assert line.startswith("2 this program and the cluster at ")
    assert "1.0.0" in line
