"""What is in deploy/: read by the programs that read it for real, where they can be had. lifecycle/test_pod.py runs it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import closing
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import compose_spec
import dockerfile
import pytest
import yaml
from click.testing import CliRunner

from pipeline.broker import parse
from pipeline.cli.app import main
from pipeline.config.handlers import check
from pipeline.config.load import load
from pipeline.errors import BrokerDenied
from pipeline.plan import Plan, SupervisorPlan
from pipeline.store.connect import connect_blocking
from pipeline.supervisor.binary import find_server
from tests.lifecycle.conftest import PIPELINE, eventually

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
LEAVING_SECONDS = 20
"""After `stop_timeout`: to give jobs back, to end the web process, to tell the broker and receivers of alerts."""


def documents(name: str) -> list[dict[str, Any]]:
    """What a file of deploy/kubernetes holds."""
    return list(yaml.safe_load_all((DEPLOY / "kubernetes" / name).read_text()))


def grace_needed(plan: SupervisorPlan) -> float:
    """For how many seconds a stop may last."""
    return plan.stop_timeout / 1000 + LEAVING_SECONDS


def loaded(root: Path, text: str) -> Plan:
    """The plan of a file of deploy/, of a project with our handlers; without a finding."""
    (root / "handlers").symlink_to(ROOT / "handlers")
    (root / "configs").mkdir()
    file = root / "configs" / "pipeline.yaml"
    file.write_text(text)
    found = load(file, env={})
    assert [one for one in found.findings if one.severity != "note"] == []
    assert found.plan is not None
    assert check(found, found.plan.supervisor.import_timeout) == ()
    return found.plan


# --- systemd -----------------------------------------------------------------------------------------------

UNIT = (DEPLOY / "systemd" / "pipeline.service").read_text()


def unit(key: str) -> list[str]:
    """What the unit says of a key."""
    return re.findall(rf"^{key}=(.*)$", UNIT, re.MULTILINE)


def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path):
    if (program := shutil.which("systemd-analyze")) is None:
        pytest.skip("systemd-analyze is not here")
    file = tmp_path / "pipeline.service"
    file.write_text(UNIT.replace("/srv/shop/venv/bin/pipeline", sys.executable))
    told = subprocess.run([program, "verify", file], capture_output=True, text=True, check=False)
    assert (told.returncode, told.stderr) == (0, "")


def test_the_unit_waits_for_ready_and_does_not_start_again_what_would_end_the_same_way():
    assert unit("Type") == ["notify"]
    assert unit("KillMode") == ["mixed"]
    assert unit("Restart") == ["on-failure"]
    assert unit("RestartPreventExitStatus") == ["78 13"]
    assert unit("ExecReload") == ["/bin/kill -HUP $MAINPID"]


def test_the_unit_gives_a_stop_more_time_than_it_takes():
    assert float(unit("TimeoutStopSec")[0]) >= grace_needed(SupervisorPlan())


def test_the_unit_lets_the_project_write_its_state_folder_and_nothing_else():
    (folder,) = unit("WorkingDirectory")
    assert unit("ProtectSystem") == ["strict"]
    assert unit("ReadWritePaths") == [f"{folder}/.pipeline"]
    runs(unit("ExecStart")[0].split()[1:])


def runs(arguments: list[str]) -> None:
    """These are arguments that `pipeline` knows, for a file below configs/."""
    assert arguments[1] == "configs/pipeline.yaml"
    told = CliRunner().invoke(main, [*arguments, "--help"])
    assert told.exit_code == 0, told.output


# --- the image ---------------------------------------------------------------------------------------------


def stage(number: int) -> list[dockerfile.Command]:
    """The commands of a stage of the Dockerfile, by docker's own parser."""
    stages: list[list[dockerfile.Command]] = []
    for command in dockerfile.parse_file(str(DEPLOY / "docker" / "Dockerfile")):
        if command.cmd.lower() == "from":
            stages.append([])
        if stages:
            stages[-1].append(command)
    return stages[number]


def only(name: str) -> dockerfile.Command:
    """The one command of this name in the image's stage."""
    (found,) = [command for command in stage(-1) if command.cmd.lower() == name]
    return found


def test_the_image_has_locked_packages_with_hashes_and_builds_none():
    (install,) = [command.value[0] for command in stage(0) if command.cmd.lower() == "run"]
    assert "--require-hashes" in install
    assert "--only-binary :all:" in install
    assert [command.value[0] for command in stage(-1) if " install " in command.value[0]] == [
        command.value[0] for command in stage(-1) if "useradd" in command.value[0]
    ]


def test_the_image_runs_the_supervisor_as_process_1_as_nobody_in_particular():
    user, _, group = only("user").value[0].partition(":")
    assert int(user) > 0 < int(group)
    assert only("stopsignal").value == ("SIGTERM",)
    entry, command = only("entrypoint"), only("cmd")
    assert entry.json
    assert command.json
    assert entry.value == ("pipeline",)
    runs(list(command.value))


def test_the_state_folder_of_the_image_is_its_users_own():
    user = only("user").value[0].partition(":")[0]
    (made,) = [command.value[0] for command in stage(-1) if "useradd" in command.value[0]]
    assert f"--uid {user} " in made
    assert re.search(r"--owner app --group app --mode 0700 /app/\.pipeline", made)


def test_what_is_copied_into_the_image_is_what_a_project_has_and_the_context_lets_through(tmp_path):
    project = tmp_path / "shop"
    subprocess.run([*PIPELINE, "init", str(project)], check=True, capture_output=True)
    (project / "requirements.txt").touch()
    shutil.copytree(DEPLOY, project / "deploy")
    rules = (DEPLOY / "docker" / "Dockerfile.dockerignore").read_text().splitlines()
    allowed = [rule[1:] for rule in rules if rule.startswith("!")]
    assert "*" in rules
    copies = [command for number in (0, 1) for command in stage(number) if command.cmd.lower() == "copy"]
    for source in (copy.value[0].rstrip("/") for copy in copies if not any(copy.flags)):
        assert (project / source).exists(), source
        assert any(fnmatchcase(source, rule) for rule in allowed), source


def test_the_image_looks_after_itself_and_says_where_nobody_answers():
    (asked,) = re.findall(r"/\S+\.py", " ".join(only("healthcheck").value))
    (script,) = [one.value[0] for one in stage(-1) if one.cmd.lower() == "copy" and one.value[-1] == asked]
    nowhere = {"HEALTH_URL": "https://127.0.0.1:1/livez"}
    told = subprocess.run(
        [sys.executable, ROOT / script], env=nowhere, capture_output=True, text=True, check=False
    )
    assert told.returncode == 1
    assert "https://127.0.0.1:1/livez" in told.stderr


# --- compose -----------------------------------------------------------------------------------------------

COMPOSE = (DEPLOY / "docker" / "compose.yaml").read_text()


def test_the_compose_file_is_one_and_names_every_secret_that_it_uses():
    compose_spec.PyCompose.from_yaml(COMPOSE).validate()
    services = yaml.safe_load(COMPOSE)["services"]
    used = {name for service in services.values() for name in service["secrets"]}
    assert used == set(yaml.safe_load(COMPOSE)["secrets"])


def test_the_app_of_the_compose_file_has_what_its_config_asks_for(tmp_path):
    text = (DEPLOY / "docker" / "configs" / "pipeline.yaml").read_text()
    plan, app = loaded(tmp_path, text), yaml.safe_load(COMPOSE)["services"]["app"]
    assert {path.removeprefix("/run/secrets/") for path in re.findall(r"/run/secrets/[\w.-]+", text)} == set(
        app["secrets"]
    )
    assert plan.http is not None
    ports = {plan.http.listen.rpartition(":")[2], plan.http.ingress.rpartition(":")[2]}
    assert {port.rpartition(":")[2] for port in app["ports"]} == ports
    assert float(app["stop_grace_period"].removesuffix("s")) >= grace_needed(plan.supervisor)


def test_the_broker_of_the_compose_file_starts_keeps_its_jobs_and_lets_in_who_has_the_password(tmp_path):
    service = yaml.safe_load(COMPOSE)["services"]["broker"]
    (acl,) = re.findall(
        r"^    echo \"(user .*)\" > broker-acl$", (ROOT / "docs/deploy.md").read_text(), re.MULTILINE
    )
    (tmp_path / "acl").write_text(acl.replace("$password", "open-sesame") + "\n")
    with tempfile.TemporaryDirectory(prefix="pq-") as folder:
        options = [
            part.replace("/run/secrets/broker-acl", str(tmp_path / "acl")) for part in service["command"][1:]
        ]
        here = ["--port", "0", "--unixsocket", f"{folder}/s", "--dir", folder, "--logfile", f"{folder}/log"]
        server = subprocess.Popen([find_server(), *options, *here])
        try:
            log = Path(folder) / "log"
            eventually(lambda: log.exists() and "Ready to accept" in log.read_text(), "the broker")
            with closing(connect_blocking(parse(f"unix://:open-sesame@{folder}/s"))) as asked:
                found = {
                    key: asked.call(("CONFIG", "GET", key))[1] for key in ("appendonly", "maxmemory-policy")
                }
            with (
                closing(connect_blocking(parse(f"unix://{folder}/s"))) as stranger,
                pytest.raises(BrokerDenied),
            ):
                stranger.call(("GET", "x"))
        finally:
            server.kill()
            server.wait()
    assert found == {"appendonly": b"yes", "maxmemory-policy": b"noeviction"}
    assert service["volumes"] == ["jobs:/data"]


# --- Kubernetes --------------------------------------------------------------------------------------------

CONFIG = documents("config.yaml")[0]["data"]["pipeline.yaml"]
POD = documents("deployment.yaml")[0]["spec"]["template"]["spec"]
CONTAINER = POD["containers"][0]


@pytest.mark.world
@pytest.mark.parametrize("file", sorted((DEPLOY / "kubernetes").glob("*.yaml")), ids=lambda file: file.name)
def test_every_manifest_is_what_the_schemas_of_kubernetes_say(file):
    validator = pytest.importorskip("kubernetes_validate", reason="pip install kubernetes-validate")
    for document in yaml.safe_load_all(file.read_text()):
        if not document["apiVersion"].startswith(("keda.sh", "kustomize")):
            validator.validate(document, "1.34", strict=True)


def test_every_manifest_is_listed_or_said_to_be_left_out():
    text = (DEPLOY / "kubernetes" / "kustomization.yaml").read_text()
    listed = yaml.safe_load(text)["resources"]
    files = {file.name for file in (DEPLOY / "kubernetes").glob("*.yaml")}
    assert files == {*listed, "keda.yaml", "kustomization.yaml", "secret.example.yaml"}
    assert "- keda.yaml" in text


def test_the_pod_has_the_volumes_that_the_config_reads_and_each_of_them_is_there():
    names = {kind: {one["metadata"]["name"] for one in documents(file)} for kind, file in
             (("configMap", "config.yaml"), ("secret", "secret.example.yaml"))}  # fmt: skip
    volumes = {volume["name"]: volume for volume in POD["volumes"]}
    assert {mount["name"] for mount in CONTAINER["volumeMounts"]} == set(volumes)
    assert {one["configMap"]["name"] for one in POD["volumes"] if "configMap" in one} == names["configMap"]
    assert {one["secret"]["secretName"] for one in POD["volumes"] if "secret" in one} == names["secret"]
    keys = {one["metadata"]["name"]: set(one["stringData"]) for one in documents("secret.example.yaml")}
    read: dict[str, set[str]] = {}
    for folder, key in re.findall(r"/run/secrets/([\w-]+)/([\w.-]+)", CONFIG):
        read.setdefault(folder, set()).add(key)
    assert read == keys


def test_the_config_is_mounted_as_a_folder_so_that_an_edit_is_seen():
    (mount,) = [mount for mount in CONTAINER["volumeMounts"] if mount["name"] == "config"]
    assert "subPath" not in mount
    assert mount["mountPath"] == "/app/configs"


def test_the_state_folder_is_made_by_the_user_of_the_pod():
    (init,) = POD["initContainers"]
    (state,) = [mount for mount in CONTAINER["volumeMounts"] if mount["name"] == "state"]
    assert init["command"] == ["mkdir", "-p", "-m", "0700", f"/state/{state['subPath']}"]
    assert POD["securityContext"]["runAsUser"] == int(only("user").value[0].partition(":")[0])
    assert init["image"] == CONTAINER["image"]


def test_a_pod_has_more_time_to_stop_than_it_takes(tmp_path):
    asleep = CONTAINER["lifecycle"]["preStop"]["sleep"]["seconds"]
    plan = loaded(tmp_path, CONFIG)
    assert POD["terminationGracePeriodSeconds"] >= asleep + grace_needed(plan.supervisor)


def test_probes_ask_what_listens_in_the_way_in_which_it_speaks(tmp_path):
    plan = loaded(tmp_path, CONFIG)
    assert plan.http is not None
    ports = {port["name"]: port["containerPort"] for port in CONTAINER["ports"]}
    assert plan.http.listen == f"0.0.0.0:{ports['dashboard']}"
    assert plan.http.ingress == f"0.0.0.0:{ports['webhooks']}"
    probes = {name: CONTAINER[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert {name: probe["path"] for name, probe in probes.items()} == {
        "startup": "/livez", "liveness": "/livez", "readiness": "/readyz",
    }  # fmt: skip
    assert {probe["port"] for probe in probes.values()} == {"dashboard"}
    assert {probe["scheme"] for probe in probes.values()} == {"HTTPS" if plan.http.tls else "HTTP"}
    for service in documents("services.yaml"):
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= set(ports)
        assert (
            service["spec"]["selector"] == documents("deployment.yaml")[0]["spec"]["selector"]["matchLabels"]
        )


def test_there_is_always_a_pod_that_can_tell_how_many_jobs_wait():
    (scaled,) = [one for one in documents("keda.yaml") if one["kind"] == "ScaledObject"]
    assert scaled["spec"]["minReplicaCount"] >= 1
    assert scaled["spec"]["fallback"]["replicas"] >= 1
    assert scaled["spec"]["scaleTargetRef"]["name"] == documents("deployment.yaml")[0]["metadata"]["name"]
    (login,) = [one for one in documents("keda.yaml") if one["kind"] == "TriggerAuthentication"]
    (ref,) = login["spec"]["secretTargetRef"]
    assert ref["parameter"] == "token"
    assert ref["key"] in documents("secret.example.yaml")[0]["stringData"]
