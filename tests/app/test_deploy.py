"""The files to deploy with: what each has to say is said, and what there is to check them with agrees."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from decalage.store.files import cache_folder

REPOSITORY = Path(__file__).parents[2]
DEPLOY = REPOSITORY / "deploy"
DRAIN_S = 30
"""``--drain`` where nothing else is said."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction of a Dockerfile; its arguments without flags."""

    name: str
    text: str

    @property
    def words(self) -> list[str]:
        return [word for word in self.text.split() if not word.startswith("--")]


def dockerfile() -> list[Instruction]:
    """The instructions, comments gone and lines joined."""
    lines = [
        line for line in (DEPLOY / "Dockerfile").read_text("utf-8").splitlines() if not line.startswith("#")
    ]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    parts = [line.partition(" ") for line in joined.splitlines() if line.strip()]
    return [Instruction(name, text.strip()) for name, _, text in parts]


def stages() -> list[list[Instruction]]:
    """The instructions by stage."""
    found: list[list[Instruction]] = []
    for instruction in dockerfile():
        if instruction.name == "FROM":
            found.append([])
        found[-1].append(instruction)
    return found


def said(stage: Sequence[Instruction], name: str) -> list[Instruction]:
    return [instruction for instruction in stage if instruction.name == name]


def settings() -> dict[str, list[str]]:
    """What the unit sets, by key; systemd adds up what stands twice."""
    found: dict[str, list[str]] = {}
    for line in (DEPLOY / "decalage.service").read_text("utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            assert line in ("[Unit]", "[Service]", "[Install]")
            continue
        key, equals, value = line.partition("=")
        assert equals
        assert re.fullmatch(r"[A-Z][A-Za-z]+", key), key
        found.setdefault(key, []).append(value)
    return found


def compose() -> dict[str, Any]:
    whole: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    return whole


def seconds(text: str) -> int:
    return int(text.removesuffix("s"))


def test_a_dockerfile_has_known_instructions_only() -> None:
    known = {"FROM", "WORKDIR", "COPY", "RUN", "ENV", "VOLUME", "USER", "EXPOSE", "STOPSIGNAL"}
    known |= {"HEALTHCHECK", "ENTRYPOINT"}
    assert {instruction.name for instruction in dockerfile()} == known


def test_every_image_is_of_one_version() -> None:
    images = [each.words[0] for each in dockerfile() if each.name == "FROM"]
    assert len(set(images)) == 1
    images += [service["image"] for service in compose()["services"].values()]
    for image in images:
        _, _, tag = image.partition(":")
        assert re.match(r"\d+\.\d+\.\d+", tag), image


def test_what_is_copied_into_the_image_is_here_and_not_ignored() -> None:
    ignored = (REPOSITORY / ".dockerignore").read_text("utf-8").splitlines()
    wanted = [source for instruction in said(stages()[0], "COPY") for source in instruction.words[:-1]]
    assert "pyproject.toml" in wanted
    for source in wanted:
        assert (REPOSITORY / source).exists(), source
        assert f"!{source}" in ignored
    assert "*" in ignored


def test_what_the_build_reads_is_copied() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    read = [project["project"]["readme"], *project["project"]["license-files"]]
    read += [Path(folder).parts[0] for folder in [*wheel["packages"], *wheel["force-include"]]]
    copied = {word for instruction in said(stages()[0], "COPY") for word in instruction.words[:-1]}
    assert {*read, "pyproject.toml", "constraints.txt"} == copied


def test_the_image_holds_the_models_and_no_compiler_or_installer() -> None:
    build, final = stages()
    (install,) = [each.text for each in said(build, "RUN")]
    assert "'.[models,server]'" in install
    assert "--only-binary=:all:" in install
    assert "--without-pip" in install
    assert [each.text for each in said(final, "COPY")] == ["--from=build /opt/decalage /opt/decalage"]
    assert not [each for each in said(final, "RUN") if re.search(r"\b(apt-get|pip|gcc)\b", each.text)]


def test_the_container_runs_as_nobody_in_particular_and_says_whether_it_is_well() -> None:
    final = stages()[-1]
    (user,) = said(final, "USER")
    uid, _, group = user.text.partition(":")
    assert int(uid) > 0
    assert int(group) > 0
    names = [instruction.name for instruction in final]
    assert names.index("USER") < names.index("ENTRYPOINT")
    (check,) = said(final, "HEALTHCHECK")
    command = json.loads(check.text[check.text.index("[") :])
    compile(command[2], "HEALTHCHECK", "exec")
    assert command[:2] == ["python", "-c"]
    assert "http://127.0.0.1:8765/healthz" in command[2]
    assert said(final, "EXPOSE")[0].text == "8765"
    entry = json.loads(said(final, "ENTRYPOINT")[0].text)
    assert entry[:6] == ["decalage", "serve", "--host", "0.0.0.0", "--port", "8765"]  # noqa: S104 - a container
    assert "--open" not in entry


def test_what_the_container_keeps_is_where_it_may_write(monkeypatch: pytest.MonkeyPatch) -> None:
    final = stages()[-1]
    variables = dict(word.split("=", 1) for word in said(final, "ENV")[0].words)
    volume = said(final, "VOLUME")[0].text
    monkeypatch.setenv("DECALAGE_CACHE", variables["DECALAGE_CACHE"])
    assert cache_folder().is_relative_to(volume)
    service = compose()["services"]["decalage"]
    assert service["read_only"] is True
    assert [each.split(":")[1] for each in service["volumes"]] == [volume, variables["DECALAGE_DATA"]]
    assert service["tmpfs"][0].startswith("/tmp:")  # noqa: S108 - of the container


def test_the_composed_server_has_a_token_and_no_more_rights_than_it_needs() -> None:
    whole = compose()
    service = whole["services"]["decalage"]
    assert service["environment"]["DECALAGE_TOKEN"].startswith("${DECALAGE_TOKEN:?")
    assert "ports" not in service
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert {"mem_limit", "pids_limit"} <= service.keys()
    assert seconds(service["stop_grace_period"]) > DRAIN_S
    build = service["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).resolve() == DEPLOY / "Dockerfile"
    named = {each.split(":")[0] for one in whole["services"].values() for each in one["volumes"]}
    folders = {name for name in named if name.startswith(".")}
    assert named - folders == set(whole["volumes"])
    assert all((DEPLOY / folder).is_file() for folder in folders)


def test_the_unit_is_hardened_and_waits_for_the_drain() -> None:
    unit = settings()
    for key in (
        "DynamicUser",
        "NoNewPrivileges",
        "PrivateTmp",
        "PrivateDevices",
        "ProtectHome",
        "RestrictNamespaces",
    ):
        assert unit[key] == ["yes"], key
    assert unit["ProtectSystem"] == ["strict"]
    assert unit["Type"] == ["exec"]
    assert unit["KillSignal"] == ["SIGTERM"]
    assert unit["MemoryMax"]
    assert unit["CapabilityBoundingSet"] == [""]
    assert set(unit["RestrictAddressFamilies"][0].split()) == {"AF_INET", "AF_INET6", "AF_UNIX"}
    assert int(unit["TimeoutStopSec"][0]) > DRAIN_S
    (cache,) = unit["CacheDirectory"]
    (state,) = unit["StateDirectory"]
    assert {f"DECALAGE_CACHE=%C/{cache}", f"DECALAGE_DATA=%S/{state}"} <= set(unit["Environment"][0].split())
    assert "DECALAGE_TOKEN" not in "".join(unit["ExecStart"] + unit["Environment"])
    assert unit["ExecStart"][0].split()[1] == "serve"


def test_systemd_finds_nothing_to_say_about_the_unit(tmp_path: Path) -> None:
    """Where there is no systemd, the keys are those that one took before."""
    program = shutil.which("systemd-analyze")
    if program is None:
        assert settings().keys() <= set(CHECKED.split())
        return
    assert settings().keys() == set(CHECKED.split())
    unit = tmp_path / "decalage.service"
    text = (DEPLOY / "decalage.service").read_text("utf-8")
    unit.write_text(text.replace("/opt/decalage/bin/decalage", "/bin/true"), "utf-8")
    done = subprocess.run(
        [program, "verify", str(unit)], capture_output=True, text=True, check=False, timeout=60
    )
    ours = [line for line in done.stderr.splitlines() if "decalage.service" in line]
    assert ours == []
    assert done.returncode == 0, done.stderr


CHECKED = """
    Description Wants After Type ExecStart EnvironmentFile Environment Restart RestartSec
    RestartPreventExitStatus KillSignal KillMode TimeoutStopSec DynamicUser CacheDirectory
    CacheDirectoryMode StateDirectory StateDirectoryMode UMask MemoryMax TasksMax
    LimitNOFILE LimitCORE NoNewPrivileges
    ProtectSystem ProtectHome PrivateTmp PrivateDevices PrivateUsers ProtectHostname ProtectClock
    ProtectKernelTunables ProtectKernelModules ProtectKernelLogs ProtectControlGroups ProtectProc
    RestrictAddressFamilies RestrictNamespaces RestrictRealtime RestrictSUIDSGID LockPersonality RemoveIPC
    CapabilityBoundingSet AmbientCapabilities SystemCallArchitectures SystemCallFilter
    SystemCallErrorNumber WantedBy
"""
"""Keys that ``systemd-analyze verify`` of systemd 252 took."""


@pytest.mark.parametrize("name", ["nginx.conf", "Caddyfile"])
def test_the_blocks_of_a_proxy_are_closed_and_websockets_get_through(name: str) -> None:
    text = (DEPLOY / name).read_text("utf-8")
    code = re.sub(r"\{\$[^}]*\}", "x", re.sub(r"(?m)#.*$", "", text))
    assert code.count("{") == code.count("}") > 0
    assert "8765" in text
    if name == "nginx.conf":
        assert "proxy_set_header Upgrade $http_upgrade;" in code
        assert "proxy_set_header Host $http_host;" in code
        logged = [line.split()[-1] for line in code.splitlines() if line.strip().startswith("access_log")]
        assert logged == ["captions;"]
        (form,) = re.findall(r"log_format captions '([^']*)'", code)
        assert not {"$request", "$request_uri", "$uri", "$args", "$http_referer"} & set(form.split())


def test_a_proxy_asks_where_the_unit_listens() -> None:
    command = settings()["ExecStart"][0].split()
    host, port = command[command.index("--host") + 1], command[command.index("--port") + 1]
    asked = re.findall(r"(?m)^ *proxy_pass (\S+);", (DEPLOY / "nginx.conf").read_text("utf-8"))
    assert asked == [f"http://{host}:{port}"]
    assert f"{host}:{port}" in (DEPLOY / "Caddyfile").read_text("utf-8")


def test_the_page_about_serving_names_every_folder_that_is_kept() -> None:
    page = (REPOSITORY / "docs" / "serving.md").read_text("utf-8")
    for word in (
        "StateDirectory",
        "DECALAGE_DATA",
        *(each.split(":")[1] for each in compose()["services"]["decalage"]["volumes"]),
    ):
        assert word in page, word


@pytest.mark.parametrize("path", sorted(DEPLOY.iterdir()), ids=lambda path: path.name)
def test_each_file_says_how_far_it_was_tried(path: Path) -> None:
    assert re.search(r"not run here", path.read_text("utf-8"), re.IGNORECASE)


def test_the_pages_about_serving_and_clusters_name_every_file() -> None:
    pages = "".join((REPOSITORY / "docs" / page).read_text("utf-8") for page in ("serving.md", "cluster.md"))
    for path in DEPLOY.iterdir():
        assert f"deploy/{path.name}" in pages, path.name
