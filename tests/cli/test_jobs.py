"""`pipeline jobs` and `pipeline dead`: the shapes they print, and what they do."""

from __future__ import annotations

import json
from typing import Any

import pytest

Shop = Any
FIELDS = [
    "id", "queue", "name", "state", "data", "priority", "attempt", "attempts", "enqueued_at", "started_at",
    "finished_at", "result", "error", "progress", "logs",
]  # fmt: skip


def enqueue(shop: Shop, count: int = 1, name: str = "welcome") -> None:
    shop.ok("enqueue", "emails", name, "--from", "-", input='{"to": "ann"}\n' * count)


def test_a_job_is_shown_with_the_promised_fields(shop: Shop) -> None:
    enqueue(shop)
    shop.end("dead")
    told = shop.json("jobs", "show", "emails", "1")
    assert list(told)[: len(FIELDS)] == FIELDS
    expected = {
        "state": "dead",
        "attempt": 1,
        "attempts": 3,
        "started_at": 5,
        "finished_at": 10,
        "result": None,
    }
    assert {name: told[name] for name in expected} == expected
    assert told["error"] == {"type": "ValueError", "message": "went wrong", "traceback": "Traceback: here"}
    assert (told["logs"], told["progress"]) == ([], None)
    assert told["errors"][0]["attempt"] == 1


def test_lists_leave_out_logs_and_tracebacks(shop: Shop) -> None:
    enqueue(shop)
    shop.end("dead")
    for words in (["jobs", "list", "emails"], ["dead", "list", "emails"]):
        (told,) = shop.json(*words)
        assert list(told)[: len(FIELDS) - 1] == FIELDS[:-1]
        assert told["error"] == {"type": "ValueError", "message": "went wrong"}


def test_lists_are_newest_first_and_go_on_behind_a_job(shop: Shop) -> None:
    enqueue(shop, 5)
    listed = [job["id"] for job in shop.json("jobs", "list", "emails", "--limit", "2")]
    assert listed == ["5", "4"]
    listed = [job["id"] for job in shop.json("jobs", "list", "emails", "--after", "4", "--limit", "9")]
    assert listed == ["3", "2", "1"]
    result = shop.call("jobs", "list", "emails", "--limit", "2")
    assert "there are more: --after 4" in result.stderr


def test_a_list_takes_one_state(shop: Shop) -> None:
    enqueue(shop, 2)
    shop.end("completed")
    assert [job["id"] for job in shop.json("jobs", "list", "emails", "--state", "completed")] == ["1"]
    assert [job["id"] for job in shop.json("jobs", "list", "emails", "--state", "waiting")] == ["2"]
    assert shop.json("jobs", "list", "emails", "--state", "blocked") == []


def test_jobs_are_cancelled_retried_promoted_and_removed(shop: Shop) -> None:
    enqueue(shop, 2)
    assert shop.ok("jobs", "cancel", "emails", "1", "2") == "1  cancelled\n2  cancelled\n"
    assert shop.json("jobs", "retry", "emails", "1") == {"queue": "emails", "id": "1", "state": "waiting"}
    assert shop.ok("jobs", "remove", "emails", "1") == "1  removed\n"
    shop.ok("enqueue", "emails", "welcome", "1", "--delay", "1h")
    assert shop.ok("jobs", "promote", "emails", "3") == "3  waiting\n"


def test_one_refusal_among_many_ends_with_1_and_the_others_go_on(shop: Shop) -> None:
    enqueue(shop, 2)
    result = shop.call("jobs", "cancel", "emails", "1", "99", "2")
    assert result.exit_code == 1
    assert result.stdout == "1  cancelled\n2  cancelled\n"
    assert "error: queue 'emails' keeps no job '99'" in result.stderr


@pytest.mark.parametrize("words", [["show"], ["retry"], ["cancel"], ["remove"], ["promote"]])
def test_an_unknown_job_is_refused_in_json_too(shop: Shop, words: list[str]) -> None:
    result = shop.call("jobs", *words, "emails", "99", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["error"]["code"] == "not_found"


def test_an_unknown_queue_is_answered_with_the_near_one(shop: Shop) -> None:
    result = shop.call("jobs", "list", "email")
    assert result.exit_code == 1
    assert "error: there is no queue 'email' in shop\n  help: did you mean 'emails'?" in result.stderr


def test_dead_jobs_are_filtered_by_job_error_and_age(shop: Shop) -> None:
    enqueue(shop, 1, "welcome")
    enqueue(shop, 1, "receipt")
    shop.end("dead", error="TimeoutError")
    shop.end("dead", error="CardDeclined")
    ids = lambda *words: [job["id"] for job in shop.json("dead", "list", "emails", *words)]  # noqa: E731
    assert ids("--job", "receipt") == ["2"]
    assert ids("--error", "timeout") == ["1"]
    assert ids("--older-than", "1h") == ["2", "1"]
    assert ids("--job", "receipt", "--error", "timeout") == []


def test_a_redrive_of_many_asks_and_never_asks_a_program(shop: Shop) -> None:
    enqueue(shop, 2)
    shop.end("dead")
    shop.end("dead")
    result = shop.call("dead", "redrive", "emails")
    assert result.exit_code == 1
    assert "Redrive 2 dead jobs of emails? Nobody can be asked here" in result.stderr
    assert "--yes" in result.stderr
    assert shop.ok("dead", "redrive", "emails", "--yes") == "emails: 2 redriven\n"
    assert shop.json("dead", "list", "emails") == []


def test_a_named_dead_job_is_redriven_without_a_question(shop: Shop) -> None:
    enqueue(shop)
    shop.end("dead")
    assert shop.ok("dead", "redrive", "emails", "1") == "1  waiting\n"


def test_dead_jobs_are_deleted_by_a_purge(shop: Shop) -> None:
    enqueue(shop, 3)
    shop.end("dead", error="A")
    shop.end("dead", error="B")
    assert shop.json("dead", "purge", "emails", "--error", "A", "--yes") == {"queue": "emails", "purged": 1}
    assert [job["id"] for job in shop.json("dead", "list", "emails")] == ["2"]
    assert shop.ok("dead", "purge", "emails", "--yes") == "emails: 1 dead deleted\n"
    assert [job["state"] for job in shop.json("jobs", "list", "emails")] == ["waiting"]


def test_what_people_read_names_the_job_and_what_to_do(shop: Shop) -> None:
    enqueue(shop)
    shop.end("dead")
    listed = shop.ok("dead", "list", "emails")
    assert "ValueError: went wrong" in listed
    shown = shop.ok("dead", "show", "emails", "1")
    assert "attempt     1 of 3" in shown
    assert "Traceback: here".removeprefix("Traceback") in shown
    assert "run it again: pipeline jobs retry emails 1" in shown


@pytest.mark.security("S14")
def test_a_hostile_payload_cannot_steer_the_terminal(shop: Shop) -> None:
    shop.ok("enqueue", "emails", "x", json.dumps({"to": "\x1b[2J\x07"}))
    shop.end("dead", error="\x1b]0;owned\x07")
    for words in (["jobs", "list", "emails"], ["jobs", "show", "emails", "1"]):
        out = shop.ok(*words)
        assert "\x1b" not in out
        assert "\x07" not in out
        assert "\\x1b]0;owned" in out


def test_a_queue_is_paused_resumed_and_purged(shop: Shop) -> None:
    enqueue(shop, 3)
    assert shop.ok("pause", "emails") == "emails is paused\n"
    assert shop.ok("pause", "emails") == "emails was paused already\n"
    assert shop.json("resume", "emails") == {"queue": "emails", "paused": False, "changed": True}
    assert shop.call("purge", "emails").exit_code == 1
    assert shop.json("purge", "emails", "--yes") == {"queue": "emails", "purged": 3}
    assert shop.ok("purge", "emails") == "emails: 0 waiting jobs deleted\n"
