"""The API under a supervisor: jobs put in over HTTP run, and workers tell what they run."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import pytest

from tests.lifecycle.conftest import Written, eventually
from tests.lifecycle.test_web import ANYWHERE, address

TOKEN = "a-token-of-more-than-16"
HTTP = ANYWHERE.replace("}", ", tokens: {ci: {role: admin, secret: {secret: ci}}}}")
FILE = HTTP + "secrets: {ci: {env: CI_TOKEN}}\nqueues: {a: {handler: 'hands:work'}}\n"


def ask(at: str, path: str, body: Any = None) -> Any:
    """What the API answers."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"http://{at}/api/v1/{path}", data, headers)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.loads(answer.read())


def test_workers_say_what_they_run_and_the_config_page_is_the_file(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI_TOKEN", TOKEN)
    run = written.up(FILE)
    at = address(written)
    put = ask(at, "queues/a/jobs", {"job": "work", "data": {"seconds": 60}})

    def look() -> Any:
        workers = [one for own in ask(at, "workers")["supervisors"] for one in own["workers"]]
        return next((job for one in workers for job in one["jobs"] if job["id"] == put["id"]), None)

    job = eventually(look, "the worker tells what it runs")
    assert (job["queue"], job["name"], job["deadline_at"] > job["since_at"]) == ("a", "work", True)
    page = ask(at, "config")
    assert any("handler: hands:work" in line["text"] and line["origin"] for line in page["lines"])
    assert (page["pending"], page["error"], TOKEN in json.dumps(page)) == ([], None, False)
    assert ask(at, "config/reload", {})["status"] == "unchanged"
    ask(at, f"queues/a/jobs/{put['id']}/cancel", {})
    assert run.stop() == 0
