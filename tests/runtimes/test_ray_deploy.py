"""The files to start a cluster with: what has a schema fits it, and what they name is there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml  # type: ignore[import-untyped]
from click.testing import CliRunner

from decalage.app.commands.serve import serve
from tests.conftest import missing

REPOSITORY = Path(__file__).parents[2]
DEPLOY = REPOSITORY / "deploy"
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
VERSION: str = PROJECT["version"]


def told_ray() -> str:
    """The minor version of Ray that pyproject.toml allows."""
    (wanted,) = PROJECT["optional-dependencies"]["ray"]
    found = re.match(r"ray>=(\d+\.\d+),", wanted)
    assert found is not None
    return found[1]


def cluster() -> dict[str, Any]:
    made: dict[str, Any] = yaml.safe_load((DEPLOY / "ray-cluster.yaml").read_text("utf-8"))
    return made


def kuberay() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((DEPLOY / "kuberay.yaml").read_text("utf-8")))


def pods() -> dict[str, dict[str, Any]]:
    """Head and each group of workers → the specification of its pods."""
    spec = kuberay()[0]["spec"]
    groups = {each["groupName"]: each["template"]["spec"] for each in spec["workerGroupSpecs"]}
    return {"head": spec["headGroupSpec"]["template"]["spec"], **groups}


@pytest.mark.ray
def test_the_cluster_of_machines_fits_the_schema_that_ray_ships() -> None:
    found = find_spec("ray")
    if found is None or not found.submodule_search_locations:
        missing("Ray", "pip install '.[ray]' in the clone")
        raise AssertionError
    schema = Path(found.submodule_search_locations[0]) / "autoscaler" / "ray-schema.json"
    jsonschema.validate(cluster(), json.loads(schema.read_text("utf-8")))


def test_the_cluster_of_machines_starts_alike_on_all_and_wants_a_token() -> None:
    made = cluster()
    assert made["max_workers"] == len(made["provider"]["worker_ips"])
    for commands in (made["head_start_ray_commands"], made["worker_start_ray_commands"]):
        (start,) = [command for command in commands if " start " in command]
        assert "RAY_AUTH_MODE=token" in start
        (token,) = re.findall(r"RAY_AUTH_TOKEN_PATH=(\S+)", start)
        assert token in made["file_mounts"]
        assert "RAY_USAGE_STATS_ENABLED=0" in start
        assert "RAY_worker_niceness=0" in start


@pytest.mark.real
def test_what_sets_a_machine_up_prepares_its_models(tmp_path: Path) -> None:
    (command,) = [each for each in cluster()["setup_commands"] if "decalage translate" in each]
    here = command.replace("/opt/decalage/venv/bin/decalage", f"{sys.executable} -m decalage")
    assert here != command
    environment = {**os.environ, "DECALAGE_CACHE": str(tmp_path)}
    done = subprocess.run(["sh", "-c", here], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert list(tmp_path.glob("models/int8-base*"))


def test_the_cluster_of_machines_is_marked_as_not_run() -> None:
    for name in ("ray-cluster.yaml", "kuberay.yaml", "ray.Dockerfile"):
        assert "Not run here" in (DEPLOY / name).read_text("utf-8"), name


KUBERNETES = "1.37"
_WORDS = {"type": "object", "additionalProperties": {"type": "string"}}
_START = {"rayStartParams": _WORDS, "template": {"type": "object"}}
RAY_CLUSTER: dict[str, Any] = {
    "type": "object",
    "required": ["apiVersion", "kind", "metadata", "spec"],
    "additionalProperties": False,
    "properties": {
        "apiVersion": {"const": "ray.io/v1"},
        "kind": {"const": "RayCluster"},
        "metadata": {"type": "object", "required": ["name"]},
        "spec": {
            "type": "object",
            "required": ["headGroupSpec"],
            "additionalProperties": False,
            "properties": {
                "rayVersion": {"type": "string"},
                "authOptions": {"type": "object", "properties": {"mode": {"enum": ["token", "disabled"]}}},
                "headGroupSpec": {
                    "type": "object",
                    "required": ["rayStartParams", "template"],
                    "additionalProperties": False,
                    "properties": {
                        **_START,
                        "serviceType": {"enum": ["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"]},
                    },
                },
                "workerGroupSpecs": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["groupName", "minReplicas", "maxReplicas", "rayStartParams", "template"],
                        "additionalProperties": False,
                        "properties": {
                            **_START,
                            "groupName": {"type": "string"},
                            "replicas": {"type": "integer"},
                            "minReplicas": {"type": "integer"},
                            "maxReplicas": {"type": "integer"},
                        },
                    },
                },
            },
        },
    },
}
"""The fields of a RayCluster, version v1, that the file uses and their types, as KubeRay's reference
of its API declares them: https://github.com/ray-project/kuberay/blob/master/docs/reference/api.md"""


def pod_template(group: dict[str, Any]) -> dict[str, Any]:
    """A group's pods as an object that Kubernetes has a schema for."""
    return {
        "apiVersion": "v1",
        "kind": "PodTemplate",
        "metadata": {"name": "p"},
        "template": group["template"],
    }


def test_kuberay_fits_the_schemas_of_kubernetes_and_of_its_operator() -> None:
    made, service = kuberay()
    jsonschema.validate(made, RAY_CLUSTER)
    kubernetes_validate.validate(service, KUBERNETES, strict=True)
    spec = made["spec"]
    for group in (spec["headGroupSpec"], *spec["workerGroupSpecs"]):
        kubernetes_validate.validate(pod_template(group), KUBERNETES, strict=True)


def test_a_field_that_kubernetes_does_not_know_is_found() -> None:
    group = kuberay()[0]["spec"]["headGroupSpec"]
    group["template"]["spec"]["containers"][0]["resourcs"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="resourcs"):
        kubernetes_validate.validate(pod_template(group), KUBERNETES, strict=True)


def test_kuberay_wants_a_token_and_the_tested_ray_and_its_service_finds_the_server() -> None:
    made, service = kuberay()
    spec = made["spec"]
    assert spec["rayVersion"].startswith(f"{told_ray()}.")
    assert spec["authOptions"] == {"mode": "token"}
    for group in spec["workerGroupSpecs"]:
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
    labels = spec["headGroupSpec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()


def test_all_pods_have_one_image_that_is_of_this_version_and_room_for_the_object_store() -> None:
    for pod in pods().values():
        (container,) = pod["containers"]
        assert container["image"] == f"decalage-ray:{VERSION}"
        mounts = {mount["name"] for mount in container["volumeMounts"]}
        assert mounts == {volume["name"] for volume in pod["volumes"]}
        (shared,) = [volume for volume in pod["volumes"] if volume["name"] == "shm"]
        room = 2**20 * int(shared["emptyDir"]["sizeLimit"].removesuffix("Mi"))
        assert room >= 500_000_000
        assert container["resources"]["requests"] == container["resources"]["limits"]


def test_the_head_serves_by_ray_recognizes_nothing_and_has_time_to_drain() -> None:
    head = pods()["head"]
    (container,) = head["containers"]
    (command,) = re.findall(r"exec decalage serve ((?:.*\\\n)*.*)", container["args"][0])
    words = command.replace("\\\n", " ").split()
    shown = CliRunner().invoke(serve, ["--help"]).output
    assert [word for word in words if word.startswith("--") and word not in shown] == []
    assert words[words.index("--runtime") + 1] == "ray"
    port = int(words[words.index("--port") + 1])
    assert port in {each["containerPort"] for each in container["ports"]}
    assert head["terminationGracePeriodSeconds"] > 30
    assert kuberay()[0]["spec"]["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"


@pytest.mark.parametrize("name", ["ray.Dockerfile"])
def test_the_image_is_that_of_the_server_with_ray(name: str) -> None:
    said = (DEPLOY / name).read_text("utf-8")
    assert re.findall(r"^FROM (\S+)", said, re.MULTILINE) == re.findall(
        r"^FROM (\S+)", (DEPLOY / "Dockerfile").read_text("utf-8"), re.MULTILINE
    )
    assert "'.[models,server,ray]'" in said
    assert f"decalage-ray:{VERSION}" in said
