"""A secret is in the file that holds it, and with whom it is shown to: nowhere else while a project runs, fails and is asked."""

from __future__ import annotations

import http.client
from pathlib import Path
from typing import Any

import pytest

from pipeline.broker import parse
from pipeline.store.connect import connect_blocking
from tests.acl import as_admin
from tests.layouts.dump import save
from tests.lifecycle.conftest import Run, Written, eventually, written

__all__ = ["written"]
CANARIES = {name: f"canary-{name}-0123456789abcdef0123456789abcdef" for name in ("hook", "token", "alert")}
HEAD = """\
http: {listen: '127.0.0.1:0', ingress: '127.0.0.1:0', tokens: {ci: {role: admin, secret: {secret: token}}}}
secrets: {hook: {file: hook.txt}, token: {file: token.txt}, alert: {file: alert.txt}}
alerts: {oncall: {url: {secret: alert}, format: slack}}
queues: {a: {handler: 'hands:fail_late', dead_letter: {alert: oncall}}}
webhooks: {one: {path: /hooks/one, verify: {type: github, secret: {secret: hook}}, queue: a, job: job}}
"""
COMMANDS = [["validate"], ["validate", "--format", "json"], ["config", "show"], ["config", "show", "--origin"], ["status"], ["status", "--json"], ["plan"], ["plan", "--json"],
            ["history"], ["history", "1", "--json"], ["doctor"], ["alerts", "test", "oncall"], ["webhooks", "list", "--json"], ["dead", "list", "a"],
            ["explain", "webhooks.one.verify"], ["metrics", "--json"], ["reload"]]  # fmt: skip
PATHS = ["overview", "config", "history", "queues/a", "alerts", "events", "webhooks", "supervisors"]
PLACES = len(COMMANDS) + len(PATHS) + 4


@pytest.fixture
def running(written: Written) -> Written:
    for name, value in CANARIES.items():
        (written.root / f"{name}.txt").write_text(
            f"http://127.0.0.1:1/{value}\n" if name == "alert" else value
        )
    written.up(HEAD)
    eventually(lambda: web(written), "the web process serves")
    return written


def web(written: Written) -> Any:
    return next(
        (one.web for one in written.records() if one.web is not None and one.web.state == "serving"), None
    )


def asked(listen: str, path: str) -> str:
    """What the API says to whoever has the token, and what it says without."""
    host, _, port = listen.rpartition(":")
    said = ""
    for headers in ({"Authorization": f"Bearer {CANARIES['token']}"}, {"Authorization": "Bearer wrong"}):
        connection = http.client.HTTPConnection(host, int(port), timeout=10)
        connection.request("GET", f"/api/v1/{path}", headers=headers)
        answer = connection.getresponse()
        said += f"{answer.getheaders()} {answer.read().decode()}"
        connection.close()
    return said


def processes(run: Run) -> str:
    """Command lines and environments of the supervisor, its workers and its web process."""
    pids = [run.pid, *run.children()]
    assert len(pids) > 2
    files = [Path(f"/proc/{pid}/{what}") for pid in pids for what in ("cmdline", "environ")]
    return "".join(file.read_text(errors="replace") for file in files)


@pytest.mark.security("S25", inputs=len(CANARIES) * PLACES)
def test_a_secret_is_nowhere_but_where_it_is_used(running: Written, broker: str, tmp_path: Path) -> None:
    running.enqueue("a", {})
    eventually(lambda: running.dead("a"), "a job died and its alert was sent to nobody")
    places: dict[str, str] = {}
    for words in COMMANDS:
        done = running.pipeline(*words)
        places[" ".join(words)] = done.stdout + done.stderr
    places |= {path: asked(web(running).listen, path) for path in PATHS}
    places["processes"] = processes(running.runs[0])
    connection = connect_blocking(parse(as_admin(broker)))
    save(connection, tmp_path / "dump", {})
    connection.close()
    places["broker"] = (tmp_path / "dump").read_text()
    state = [path for path in (running.root / ".pipeline").rglob("*") if path.is_file()]
    places["state"] = "".join(path.read_text(errors="replace") for path in state)
    places["log"] = running.runs[0].output
    assert all(places.values())
    found = [
        (name, place) for name, value in CANARIES.items() for place, text in places.items() if value in text
    ]
    assert found == []
