"""Webhooks under a supervisor: sent as a person tries them, through the real processes."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import Any

from tests.lifecycle.conftest import Written, eventually

HEAD = """\
http: {listen: '127.0.0.1:0', ingress: '127.0.0.1:0'}
secrets: {s: {file: s.txt}}
queues: {a: {handler: 'hands:work'}}
"""
ONE = "webhooks: {one: {path: /hooks/one, verify: {type: stripe, secret: {secret: s}}, queue: a, job: job}}\n"
TWO = ONE.replace(
    "}}\n", "}, two: {path: /hooks/two, verify: {type: github, secret: {secret: s}}, queue: a, job: job}}\n"
)


def web(written: Written) -> Any:
    return next(
        (one.web for one in written.records() if one.web is not None and one.web.state == "serving"), None
    )


def ready(written: Written) -> Any:
    return eventually(lambda: web(written), "the web process serves")


def send(written: Written, *words: str) -> dict[str, Any]:
    done = written.pipeline("webhooks", "send", *words, "--json")
    return dict(json.loads(done.stdout))


def test_an_event_becomes_a_job_that_runs_and_an_edit_of_the_file_touches_no_process(
    written: Written, tmp_path: Path
):
    (written.root / "s.txt").write_text("a secret that nobody guesses\n")
    run = written.up(HEAD + ONE)
    pid = ready(written).pid
    body = tmp_path / "body.json"
    body.write_text('{"id": "evt_1"}')
    assert send(written, "one", "--body", str(body)) == {
        "webhook": "one", "status": 202, "answer": {"id": "one:evt_1", "status": "created"},
    }  # fmt: skip
    eventually(
        lambda: (
            json.loads(written.pipeline("jobs", "show", "a", "one:evt_1", "--json").stdout)["state"]
            == "completed"
        ),
        "it ran",
    )
    assert send(written, "one", "--body", str(body))["status"] == 200
    assert send(written, "two")["error"]["code"] == "unknown_webhook"

    assert written.reload(HEAD + TWO).returncode == 0
    assert send(written, "two", "--id", "d1")["answer"]["id"] == "two:d1"
    assert web(written).pid == pid
    # Another secret counts soon after it is written, and `send` reads it, too.
    (written.root / "s.txt").write_text("another secret that nobody guesses\n")
    eventually(lambda: send(written, "two", "--id", "d2").get("status") == 202, "the new secret counts")
    listed = json.loads(written.pipeline("webhooks", "list", "--json").stdout)
    assert [(one["name"], one["verify"], one["secrets"]) for one in listed] == [
        ("one", "stripe", [{"name": "s", "ok": True}]), ("two", "github", [{"name": "s", "ok": True}]),
    ]  # fmt: skip
    assert run.stop() == 0


def test_a_web_process_that_dies_loses_no_event_that_was_answered(written: Written):
    (written.root / "s.txt").write_text("a secret that nobody guesses\n")
    open_hook = "webhooks: {one: {path: /one, verify: {type: none, allow_unsigned: true}, queue: a, job: job, id: '{body.id}'}}\n"
    written.up(HEAD.replace("queues: {a: {", "queues: {a: {paused: true, ") + open_hook)
    at = ready(written).ingress
    answered: set[str] = set()
    for number in range(40):
        if number == 20:
            written.kill(ready(written).pid)
        for _ in range(20):
            if (got := post(at, number)) is not None:
                answered.add(got)
                break
    assert answered == {f"one:e{number}" for number in range(40)}
    assert {
        job["id"] for job in json.loads(written.pipeline("jobs", "list", "a", "--json").stdout)
    } == answered


def post(at: str, number: int) -> str | None:
    """The job's id, or None when the connection ended without an answer."""
    connection = http.client.HTTPConnection(at, timeout=20)
    try:
        connection.request(
            "POST", "/one", json.dumps({"id": f"e{number}"}), {"Content-Type": "application/json"}
        )
        return str(json.loads(connection.getresponse().read())["id"])
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
