"""`pipeline plan` beside a supervisor: it compares with what runs, which is not always what the file said last."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.lifecycle.conftest import Written


@pytest.fixture
def unwatched(written: Written) -> Written:
    """A project whose supervisor does not look at its file by itself."""
    written.head = written.head.replace("10s}", "10s, reload: {watch: false}}")
    return written


def queues(concurrency: int, more: str = "") -> str:
    return f"queues:\n  a: {{handler: 'hands:work', concurrency: {concurrency}}}\n{more}"


def plan(written: Written) -> dict[str, Any]:
    result = written.pipeline("plan", "--json")
    assert result.returncode == 0, result.stderr
    return dict(json.loads(result.stdout))


def test_the_file_is_compared_with_what_runs_and_a_reload_makes_them_equal(unwatched):
    run = unwatched.up(queues(2))
    unwatched.write(queues(3, "  b: {handler: 'hands:work'}\n"))
    told = plan(unwatched)
    assert [(one["path"], one["class"]) for one in told["changes"]] == [
        ("queues.a.concurrency", "hot"),
        ("queues.b", "hot"),
    ]
    assert (told["generation"], told["running"], told["restart_required"]) == (1, True, False)
    assert unwatched.pipeline("reload").returncode == 0
    assert plan(unwatched)["changes"] == []
    assert unwatched.pipeline("rollback").returncode == 0
    # What runs is older than what was read last.
    told = plan(unwatched)
    assert [one["from"] for one in told["changes"]] == [2, None]
    assert told["generation"] == 3
    assert [one["running"] for one in json.loads(unwatched.pipeline("history", "--json").stdout)] == [
        True,
        False,
        False,
    ]
    assert run.stop() == 0


def test_another_address_or_name_needs_a_restart_and_no_password_is_shown(unwatched):
    run = unwatched.up(queues(2))
    before = unwatched.head
    unwatched.head = before.replace("name: test", "name: other").replace(
        unwatched.url, "redis://:sesame@localhost:1/0"
    )
    unwatched.write(queues(2))
    result = unwatched.pipeline("plan")
    assert "sesame" not in result.stdout + result.stderr
    assert "restart required" in result.stdout
    told = plan(unwatched)
    assert [(one["path"], one["class"]) for one in told["changes"]] == [
        ("name", "restart"),
        ("broker.url", "restart"),
    ]
    assert told["restart_required"] is True
    assert run.stop() == 0
