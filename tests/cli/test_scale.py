"""`pause --for`, `scale` and `reset`: what a person changes for a while, and takes back."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from pipeline.store.call import run_blocking
from pipeline.store.overrides import read
from pipeline.store.reader import server_time
from pipeline.store.store import Store

Shop = Any
HOUR = 3_600_000


def held(shop: Shop, queue: str = "emails") -> Any:
    """The overrides that hold in a queue."""
    with shop.connection() as connection:
        return run_blocking(connection, read("shop", queue))


def time(shop: Shop) -> int:
    with shop.connection() as connection:
        return run_blocking(connection, server_time())


def edit(shop: Shop, old: str, new: str) -> None:
    """Change the file, and what is published."""
    shop.file.write_text(shop.file.read_text().replace(old, new, 1))
    shop.publish()


def test_a_queue_is_scaled_until_a_time(shop: Shop) -> None:
    before = time(shop)
    told = shop.json("scale", "emails", 4, "--for", "1h")
    scale = held(shop).scale
    assert (scale.processes, scale.was, "@" in scale.by) == (4, 1, True)
    assert before + HOUR <= scale.until <= time(shop) + HOUR
    assert told == {
        "queue": "emails", "pool": "emails", "processes": 4, "was": 1, "until_at": scale.until,
    }  # fmt: skip


def test_a_scale_without_a_time_holds_until_it_is_reset(shop: Shop) -> None:
    assert shop.ok("scale", "emails", 4) == "emails: 4 processes instead of 1\n"
    assert held(shop).scale.until is None
    assert shop.ok("reset", "emails").startswith("emails: no longer 4 processes by ")
    assert held(shop).scale is None
    assert shop.ok("reset", "emails") == "emails: nothing was changed by hand\n"


def test_queues_that_share_a_pool_are_scaled_and_reset_together(shop: Shop) -> None:
    edit(shop, "    handler: handlers:send\n", "    handler: handlers:send\n    pool: mail\n")
    edit(shop, "  payments:\n", "  sms: {handler: 'handlers:send', pool: mail}\n  payments:\n")
    assert shop.ok("scale", "sms", 3) == "emails, sms: 3 processes instead of 1\n"
    assert [held(shop, queue).scale.processes for queue in ("emails", "sms")] == [3, 3]
    assert held(shop, "payments").scale is None
    shop.ok("reset", "emails")
    assert [held(shop, queue).scale for queue in ("emails", "sms")] == [None, None]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["scale", "emails", "0"], "no processes are a pause: pipeline pause emails"),
        (["scale", "emails", "1025"], "processes are 1 to 1,024, not 1,025"),
        (["scale", "emails", "many"], "'many' is not a valid integer"),
        (["scale", "emails", "2", "--for", "60"], "'60' is not a duration: write it as 500ms, 2s"),
        (["pause", "emails", "--for", "0s"], "--for must be longer than 0"),
    ],
)
def test_a_number_or_time_that_makes_no_sense_is_a_usage_error(
    shop: Shop, words: list[str], says: str
) -> None:
    result = shop.call(*words)
    assert (result.exit_code, says in result.stderr) == (2, True)
    assert (held(shop).pause, held(shop).scale) == (None, None)


def test_a_queue_that_no_process_serves_is_not_scaled(shop: Shop) -> None:
    edit(shop, "        handler: handlers:send\n        timeout: 20s\n", "        handler: null\n")
    result = shop.call("scale", "payments", "2", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["error"]["message"] == "no process serves 'payments'"
    assert shop.call("scale", "email", "2").exit_code == 1


def test_a_queue_is_paused_until_a_time_and_the_newest_pause_counts(shop: Shop) -> None:
    told = shop.json("pause", "emails", "--for", "1h")
    assert (told["changed"], told["until_at"]) == (True, held(shop).pause.until)
    assert shop.ok("pause", "emails", "--for", "2h").startswith("emails was paused already, until ")
    assert held(shop).pause.until > told["until_at"]
    assert shop.json("pause", "emails")["until_at"] is None
    assert held(shop).pause.until is None


def test_a_reset_lets_a_paused_queue_go_on_and_says_what_it_took_back(shop: Shop) -> None:
    shop.ok("pause", "emails")
    shop.ok("scale", "emails", 4)
    removed = shop.json("reset", "emails")["removed"]
    assert [(one["field"], one["value"], one["file"]) for one in removed] == [
        ("paused", True, False),
        ("processes", 4, 1),
    ]
    assert (held(shop).pause, held(shop).scale) == (None, None)


def test_a_reset_pauses_a_queue_again_that_the_file_pauses(shop: Shop) -> None:
    edit(shop, "    handler: handlers:send\n", "    handler: handlers:send\n    paused: true\n")
    assert shop.ok("reset", "emails") == "emails: paused, as the file says\n"
    assert held(shop).pause.by == "file"
    assert shop.ok("reset", "emails") == "emails: nothing was changed by hand\n"
    shop.ok("resume", "emails")
    shop.ok("reset", "emails")
    assert held(shop).pause.by == "file"


def test_a_queue_that_was_removed_can_be_reset_and_purged_and_is_shown(shop: Shop) -> None:
    shop.publish()
    shop.ok("enqueue", "emails", "send", '"x"')
    shop.ok("pause", "emails")
    with shop.connection() as connection:
        run_blocking(connection, Store("shop", "emails").retract(2))
    text = shop.file.read_text()
    shop.file.write_text(text[: text.index("  emails:")] + text[text.index("  payments:") :])
    out = shop.call("status").stdout
    assert "emails  not in the file" in out
    assert "emails is not in the file, 1 waiting: put it back, or pipeline purge emails" in out
    assert len(shop.json("reset", "emails")["removed"]) == 1
    assert msgspec.convert(shop.json("jobs", "list", "emails"), list[dict[str, Any]])[0]["state"] == "waiting"
    assert shop.json("purge", "emails", "--yes") == {"queue": "emails", "purged": 1}


def test_an_enqueue_into_a_removed_queue_says_what_to_do(shop: Shop) -> None:
    shop.publish()
    with shop.connection() as connection:
        run_blocking(connection, Store("shop", "emails").retract(2))
    result = shop.call("enqueue", "emails", "send", '"x"', "--json")
    assert result.exit_code == 1
    error = json.loads(result.stdout)["error"]
    assert error["code"] == "queue_removed"
    assert error["message"].startswith("queue 'emails' was removed from the file in generation 2")
