"""What the machine has, and what of it a run may take."""

from __future__ import annotations

import os
import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from decalage.app.compose import ModelBlueprint, _check_node, make_blueprint
from decalage.app.machine import Machine, allowed_bytes, cpu_features, look
from decalage.app.memory import Plan, check_memory, most_workers, needed_bytes
from decalage.app.settings import Settings, available_cores
from decalage.errors import NoRoomError, UsageError

GB = 1_000_000_000
BASE = 145_217_532
SMALL_MACHINE = Machine(cores=2, free_bytes=1 * GB, total_bytes=4 * GB)


def written(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder whose model.bin is as large as base's and takes no room on disk."""
    folder = tmp_path / "model"
    folder.mkdir()
    with (folder / "model.bin").open("wb") as file:
        os.truncate(file.fileno(), BASE)
    return folder


def test_this_machine_has_cores_and_memory() -> None:
    machine = look()
    assert machine.cores == available_cores()
    assert 0 < machine.free_bytes <= machine.total_bytes


def test_without_control_groups_nothing_is_limited(tmp_path: Path) -> None:
    assert allowed_bytes(tmp_path) is None


def test_version_2_leaves_what_is_not_used_and_counts_cached_files_as_free(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/user/run\n",
        "sys/fs/cgroup/user/run/memory.max": "1000\n",
        "sys/fs/cgroup/user/run/memory.current": "600\n",
        "sys/fs/cgroup/user/run/memory.stat": "anon 400\ninactive_file 150\n",
    }
    assert allowed_bytes(written(tmp_path, files)) == 1000 - 600 + 150


def test_a_group_above_may_be_tighter(tmp_path: Path) -> None:
    files = {"proc/self/cgroup": "0::/user/run\n"}
    for group, most in (("user/run", "max"), ("user", "700")):
        files[f"sys/fs/cgroup/{group}/memory.max"] = most
        files[f"sys/fs/cgroup/{group}/memory.current"] = "600"
        files[f"sys/fs/cgroup/{group}/memory.stat"] = "inactive_file 0"
    assert allowed_bytes(written(tmp_path, files)) == 100


def test_in_a_container_the_mounted_group_counts(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/docker/abc\n",
        "sys/fs/cgroup/memory.max": "900",
        "sys/fs/cgroup/memory.current": "1000",
        "sys/fs/cgroup/memory.stat": "",
    }
    assert allowed_bytes(written(tmp_path, files)) == 0


@pytest.mark.parametrize(("limit", "left"), [("2000", 1700), ("9223372036854771712", None)])
def test_version_1_has_a_number_for_no_limit(tmp_path: Path, limit: str, left: int | None) -> None:
    files = {
        "proc/self/cgroup": "5:cpu:/\n4:memory:/run\n0::/\n",
        "sys/fs/cgroup/memory/run/memory.limit_in_bytes": limit,
        "sys/fs/cgroup/memory/run/memory.usage_in_bytes": "500",
        "sys/fs/cgroup/memory/run/memory.stat": "cache 300\ntotal_inactive_file 200\n",
    }
    assert allowed_bytes(written(tmp_path, files)) == left


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("flags\t\t: fpu avx avx2 avx512f avx512_vnni amx_int8", ("avx2", "avx512", "vnni", "amx")),
        ("Features\t: fp asimd asimddp i8mm", ("neon", "dotprod", "i8mm")),
        ("flags\t\t: fpu sse2", ()),
    ],
)
def test_processor_features_have_common_names(tmp_path: Path, line: str, names: tuple[str, ...]) -> None:
    assert cpu_features(written(tmp_path, {"proc/cpuinfo": f"processor : 0\n{line}\n"})) == names


def test_threads_share_weights_and_copies_do_not() -> None:
    needs = {
        runtime: [needed_bytes(Plan(runtime=runtime, workers=n, weights_bytes=BASE)) for n in (1, 4)]
        for runtime in ("sequential", "pipeline", "asyncio", "pool", "processes")
    }
    assert needs["sequential"] == needs["pipeline"] == needs["asyncio"]
    assert needs["pipeline"][1] - needs["pipeline"][0] < BASE + BASE / 10
    assert needs["pool"][1] - needs["pool"][0] > 3 * BASE
    assert needs["processes"][1] > needs["pool"][1]


def test_expected_memory_is_at_least_what_was_measured_and_at_most_a_quarter_more() -> None:
    """Peaks in MB: base, int8, python -m scripts.measure_memory, 2026-11-24."""
    measured = {("pipeline", 2): 488, ("pipeline", 4): 558, ("pool", 4): 1136, ("pool", 16): 2498}
    measured |= {("processes", 4): 1354, ("processes", 12): 3852}
    for (runtime, workers), megabytes in measured.items():
        plan = Plan(runtime=runtime, workers=workers, weights_bytes=BASE)  # type: ignore[arg-type]
        assert megabytes <= needed_bytes(plan) / 1e6 <= 1.25 * megabytes


def test_float32_needs_more_than_int8() -> None:
    plan = Plan(runtime="pipeline", workers=1, weights_bytes=BASE)
    assert needed_bytes(plan) == needed_bytes(replace(plan, compute_type="int8_float32"))
    assert needed_bytes(replace(plan, compute_type="float32")) > needed_bytes(plan) + BASE


def test_the_most_workers_that_fit_fit_and_one_more_does_not() -> None:
    plan = Plan(runtime="pool", workers=40, weights_bytes=BASE)
    most = most_workers(plan, 2 * GB)
    assert needed_bytes(replace(plan, workers=most)) <= 2 * GB < needed_bytes(replace(plan, workers=most + 1))
    assert most_workers(plan, 0) == 0


def test_more_workers_than_memory_holds_are_refused_with_the_figures(model: Path) -> None:
    settings = Settings(runtime="pool", workers=40)
    with pytest.raises(UsageError) as refusal:
        check_memory(settings, model, SMALL_MACHINE)
    told = str(refusal.value)
    needed = needed_bytes(Plan.of(settings, model)) / GB
    assert told.startswith(f"pool with 40 workers of base would need {needed:.1f} GB, 1.0 GB are free; ")
    assert "--workers" in told
    check_memory(replace(settings, workers=1), model, SMALL_MACHINE)


def test_a_runtime_that_shares_weights_is_named_where_it_fits(model: Path) -> None:
    with pytest.raises(UsageError, match="--runtime pipeline shares one set of weights"):
        check_memory(Settings(runtime="processes", workers=4), model, SMALL_MACHINE)


def test_where_nothing_fits_a_smaller_model_is_named(model: Path) -> None:
    with pytest.raises(UsageError, match=r"1 worker of base would need .*tiny\.en"):
        check_memory(Settings(workers=1), model, replace(SMALL_MACHINE, free_bytes=100_000_000))


def test_weights_on_another_device_are_not_counted(model: Path) -> None:
    check_memory(Settings(device="cuda"), model, replace(SMALL_MACHINE, free_bytes=0))


def test_what_a_cluster_loads_is_not_counted_here_and_counted_on_each_node(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(runtime="ray", workers=40, address="auto")
    check_memory(settings, model, replace(SMALL_MACHINE, free_bytes=0))
    monkeypatch.setattr("decalage.app.compose.look", lambda: SMALL_MACHINE)
    there = ModelBlueprint(model, None, {}, 1, "cpu", "auto")
    _check_node(settings, there, 1)
    with pytest.raises(
        UsageError, match=r"a node with 40 workers of base would need .* 1\.0 GB are free"
    ) as told:
        _check_node(settings, there, 40)
    sent = pickle.loads(pickle.dumps(told.value))  # noqa: S301 - our own bytes
    assert isinstance(sent, NoRoomError)
    assert 1 < sent.fits < 40
    assert str(sent) == str(told.value)
    assert f"--workers {sent.fits} fits" in str(sent)
    _check_node(settings, there, sent.fits)
    _check_node(replace(settings, address=None), there, 40)


def test_the_refusal_comes_before_anything_loads() -> None:
    with pytest.raises(UsageError, match="64 workers of base would need"):
        make_blueprint(Settings(runtime="pool", workers=64, offline=True), SMALL_MACHINE)
