"""The Kubernetes manifests of deploy/, as far as one host can be a pod: mounted as the kubelet mounts, asked as it asks."""

from __future__ import annotations

import http.client
import json
import re
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lifecycle.conftest import PIPELINE, Run, Written, eventually

ROOT = Path(__file__).parents[2]
MANIFESTS = ROOT / "deploy" / "kubernetes"
CONFIG = yaml.safe_load((MANIFESTS / "config.yaml").read_text())["data"]["pipeline.yaml"]
SCALING = list(yaml.safe_load_all((MANIFESTS / "keda.yaml").read_text()))


class Pod:
    """The project of the ConfigMap, mounted as Kubernetes mounts it, with our certificate and free ports."""

    def __init__(self, written: Written) -> None:
        self.written, self.root = written, written.root
        self.secrets = self.root / "secrets"
        (self.root / "handlers").symlink_to(ROOT / "handlers")
        for folder in ("configs", "secrets/shop", "secrets/shop-tls"):
            (self.root / folder).mkdir(parents=True)
        tokens = {key: f"{key}-of-a-test-of-ours" for key in ("admin-token", "keda-token")}
        for key, value in {"broker-url": written.url, **tokens}.items():
            (self.secrets / "shop" / key).write_text(value)
        self.token = tokens["keda-token"]
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-subj", "/CN=shop", "-keyout", self.secrets / "shop-tls/tls.key", "-out", self.secrets / "shop-tls/tls.crt"],
            check=True, capture_output=True,
        )  # fmt: skip
        self.text = CONFIG.replace("/run/secrets", str(self.secrets)).replace(
            "name: shop\n", "name: test\n", 1
        )
        self.text = re.sub(r"(0\.0\.0\.0):94\d\d", r"\1:0", self.text)
        self.text = self.text.replace("stop_timeout: 25s", "stop_timeout: 5s, reload: {interval: 200ms}")
        self.mount(self.text)

    def mount(self, text: str) -> None:
        """As the kubelet does it: a folder for each version, and a link that is swapped."""
        configs = self.root / "configs"
        version = configs / f"..2{len(list(configs.iterdir()))}"
        version.mkdir()
        (version / "pipeline.yaml").write_text(text)
        (configs / "draft").symlink_to(version.name)
        (configs / "draft").rename(configs / "..data")
        if not (configs / "pipeline.yaml").is_symlink():
            (configs / "pipeline.yaml").symlink_to("..data/pipeline.yaml")

    def port(self) -> int:
        """Where the dashboard is, once it is."""

        def look() -> str:
            webs = [one.web for one in self.written.records() if one.web is not None]
            return next((web.listen or "" for web in webs if web.state == "serving"), "")

        return int(eventually(look, "the web process serves").rpartition(":")[2])

    def get(self, path: str, **headers: str) -> tuple[int, Any]:
        """What a probe or KEDA gets."""
        at = http.client.HTTPSConnection(
            "127.0.0.1", self.port(), timeout=10, context=ssl._create_unverified_context()
        )
        try:
            at.request("GET", path, headers=headers)
            answer = at.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        finally:
            at.close()


@pytest.fixture
def pod(written: Written) -> Iterator[Pod]:
    """It runs."""
    pod = Pod(written)
    command = [*PIPELINE, "run", str(pod.root / "configs" / "pipeline.yaml"), "--json"]
    written.runs.append(Run(command, pod.root))
    yield pod
    assert written.runs[-1].stop() == 0


def test_the_config_of_the_pod_runs_answers_probes_and_keda_and_follows_an_edit(pod):
    # A probe knows an address, and no name.
    assert pod.get("/livez", Host="10.1.2.3:9400")[0] == 200
    eventually(lambda: pod.get("/readyz", Host="10.1.2.3:9400")[0] == 200, "it is ready")
    script = [sys.executable, str(ROOT / "deploy" / "docker" / "livez.py")]
    subprocess.run(script, env={"HEALTH_URL": f"https://127.0.0.1:{pod.port()}/livez"}, check=True)

    triggers = [t for one in SCALING for t in one["spec"].get("triggers", ())]
    assert len(triggers) == 2
    for trigger in triggers:
        asked = re.fullmatch(r"https://([^/]+)(/.*)", trigger["metadata"]["url"])
        assert asked is not None
        assert trigger["metadata"]["authMode"] == "bearer"
        assert pod.get(asked[2], Host=asked[1])[0] == 401
        status, found = pod.get(asked[2], Host=asked[1], Authorization=f"Bearer {pod.token}")
        assert status == 200, found
        for step in trigger["metadata"]["valueLocation"].split("."):
            found = found[step]
        assert type(found) is int

    pod.mount(pod.text.replace("concurrency: 20", "concurrency: 21"))
    eventually(lambda: pod.written.generation() == 2, "the edit is applied")
