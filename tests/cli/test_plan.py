"""`pipeline plan`: what it compares with, what it says of each change, its JSON and its exit codes."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from pipeline.broker import parse
from pipeline.config.load import require
from pipeline.job import Outcome, encode
from pipeline.status.supervisors import SupervisorState
from pipeline.store import keys
from pipeline.store.call import run_blocking
from pipeline.store.connect import connect
from pipeline.store.store import Move, Store
from pipeline.supervisor.publish import Publisher
from pipeline.supervisor.records import write_record
from tests.acl import by_admin
from tests.cli.conftest import CONFIG, Shop, turn


@pytest.fixture
def applied(shop: Shop) -> Shop:
    """A shop whose file is applied, though no supervisor runs."""
    asyncio.run(apply(shop))
    return shop


async def apply(shop: Shop) -> None:
    connection = await connect(parse(shop.url))
    await Publisher("s1").greet(connection, require(shop.file), "alice@box")
    connection.close()


def edit(shop: Shop, *pairs: tuple[str, str], more: str = "") -> None:
    """Replace texts in the shop's file."""
    text = CONFIG.format(url=shop.url)
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    shop.file.write_text(text + more)


def lines(shop: Shop) -> dict[str, str]:
    """The line of each change, by its path."""
    found = [line for line in shop.ok("plan").splitlines() if line[:2] in ("+ ", "- ", "~ ")]
    return {line.split()[1]: line for line in found}


def complete(shop: Shop, ms: int) -> None:
    """Run the next job of `emails` by hand, so long."""
    store = Store("shop", "emails")
    with shop.connection() as connection:
        run_blocking(connection, store.join("hand", 60_000))
        taken = connection.call(turn(store, "hand", 1, want=1))
        moved = Move("completed", taken[4][0], taken[3], outcome=encode(Outcome(1, 1_000, 1_000 + ms)))
        connection.call(turn(store, "hand", 2, moves=[moved]))
        run_blocking(connection, store.leave("hand"))


# --- what it is compared with --------------------------------------------------------------------------------


def test_where_nothing_was_applied_everything_would_be_new(shop):
    told = shop.json("plan")
    assert [(one["path"], one["kind"]) for one in told["changes"]] == [
        ("queues.emails", "added"),
        ("queues.payments", "added"),
    ]
    assert (told["generation"], told["running"]) == (None, False)
    assert "nothing runs, everything would be new" in shop.ok("plan")


def test_a_file_that_is_applied_has_no_changes(applied):
    assert applied.json("plan") == {
        "changes": [],
        "restart_required": False,
        "generation": 1,
        "running": False,
    }
    text = applied.ok("plan")
    assert "against generation 1 that was applied last; nothing runs" in text
    assert "no changes" in text


def test_what_a_supervisor_elsewhere_runs_counts_more_than_what_was_applied_last(applied):
    first = require(applied.file)
    edit(applied, ("handler: handlers:send\n    timeout: 20s", "handler: handlers:send\n    timeout: 10s"))
    asyncio.run(apply(applied))
    assert applied.json("plan")["changes"] == []
    asyncio.run(run_elsewhere(applied, first.hash))
    told = applied.json("plan")
    assert [one["path"] for one in told["changes"]] == ["queues.emails.timeout"]
    assert (told["generation"], told["running"]) == (1, True)
    assert "runs on another host" in applied.ok("plan")


async def run_elsewhere(shop: Shop, hash: str) -> None:
    connection = await connect(parse(shop.url))
    record = SupervisorState("far", 7, 1, hash, "ready", None, 5)
    seconds, _ = await connection.call(("TIME",))
    await write_record(connection, "shop", "s2", record, int(seconds) * 1000)
    connection.close()


def test_plan_changes_nothing(applied):
    edit(applied, ("  emails:", "  emails:\n    concurrency: 3"))
    with applied.connection() as connection:
        before = sorted(by_admin(applied.url, "KEYS", "*"))
        applied.ok("plan")
        assert sorted(by_admin(applied.url, "KEYS", "*")) == before
        assert connection.call(("LLEN", keys.generations("shop"))) == 1


# --- what it says ---------------------------------------------------------------------------------------------


def test_a_change_is_an_object_with_its_class_and_both_values(applied):
    edit(applied, ("attempts: 3", "attempts: 5"))
    assert applied.json("plan")["changes"] == [
        {
            "path": "queues.emails.retry.attempts", "kind": "changed", "from": 3, "to": 5, "class": "hot",
            "waiting": None, "effect": None,
        }
    ]  # fmt: skip


def test_changes_are_lines_with_those_that_need_most_first(applied):
    edit(
        applied,
        ("allow_eviction: true", "allow_eviction: true\n  durability: fsync"),
        ("attempts: 3", "attempts: 5"),
        (
            "        handler: handlers:send\n        timeout",
            "        handler: handlers:post\n        timeout",
        ),
    )
    # The broker of what was applied is not kept: only a supervisor that runs can tell.
    handler = "queues.payments.jobs.capture.handler"
    assert list(lines(applied)) == [handler, "queues.emails.retry.attempts"]
    assert lines(applied)[handler].split() == [
        "~", handler, "handlers:send", "->", "handlers:post", "rolling"
    ]  # fmt: skip
    assert "2 changes: 1 hot, 1 rolling" in applied.ok("plan")


def test_a_removed_queue_tells_what_waits_in_it(applied):
    applied.ok("enqueue", "payments", "capture", "1")
    applied.ok("enqueue", "payments", "capture", "1")
    text = CONFIG.format(url=applied.url)
    applied.file.write_text(text[: text.index("  payments:")])
    (change,) = applied.json("plan")["changes"]
    assert (change["path"], change["kind"], change["class"]) == ("queues.payments", "removed", "hot")
    assert change["waiting"] == 2
    assert "2 jobs wait here, and stay in the broker" in lines(applied)["queues.payments"]


def test_a_removed_job_name_tells_which_jobs_would_die(applied):
    for name in ("capture", "capture"):
        applied.ok("enqueue", "payments", name, "1")
    applied.ok("enqueue", "payments", "capture", "1", "--delay", "1h")
    edit(applied, ("      capture:", "      refund:"))
    told = lines(applied)
    assert "3 that wait or are delayed would die" in told["queues.payments.jobs.capture"]
    assert told["queues.payments.jobs.refund"].startswith("+ ")


def test_a_lower_timeout_is_tried_on_the_jobs_that_are_kept(applied):
    for ms in (100, 5_000, 8_000):
        applied.ok("enqueue", "emails", "x", "1")
        complete(applied, ms)
    edit(applied, ("handler: handlers:send\n    timeout: 20s", "handler: handlers:send\n    timeout: 6s"))
    assert "would have ended 1 of the last 3 runs" in lines(applied)["queues.emails.timeout"]


def test_more_concurrency_and_processes_tell_once_how_much_sooner_the_backlog_ends(applied):
    for _ in range(3):
        applied.ok("enqueue", "emails", "x", "1")
    with applied.connection() as connection:
        connection.call(("HSET", keys.stats(keys.base("shop", "emails")), "run:20", 10))
    edit(applied, ("  emails:", "  emails:\n    concurrency: 20\n    processes: 2"))
    told = lines(applied)
    assert "3 jobs wait: drained in about 24s before, about 6s after" in told["queues.emails.processes"]
    assert told["queues.emails.concurrency"].endswith("10 -> 20  hot")


def test_a_pause_by_hand_is_seen(applied):
    applied.ok("enqueue", "emails", "x", "1")
    applied.ok("pause", "emails")
    edit(applied, ("  emails:", "  emails:\n    concurrency: 20"))
    assert "1 job waits, and the queue is paused" in lines(applied)["queues.emails.concurrency"]


def test_a_value_that_goes_is_shown(applied):
    edit(
        applied,
        ("    handler: handlers:send\n    timeout: 20s\n", "    jobs: {x: {handler: 'handlers:send'}}\n"),
    )
    assert lines(applied)["queues.emails.handler"].split()[:3] == [
        "-",
        "queues.emails.handler",
        "handlers:send",
    ]


# --- exit codes -------------------------------------------------------------------------------------------------


def test_changes_are_an_exit_code_only_when_asked_for(applied):
    assert applied.call("plan", "--exit-code").exit_code == 0
    edit(applied, ("attempts: 3", "attempts: 5"))
    assert applied.call("plan").exit_code == 0
    assert applied.call("plan", "--exit-code").exit_code == 3
    assert applied.call("plan", "--exit-code", "--json").exit_code == 3


def test_a_file_with_mistakes_is_refused_with_each_of_them(applied):
    edit(applied, ("attempts: 3", "attempts: 0"))
    result = applied.call("plan", "--exit-code")
    assert result.exit_code == 1
    assert "attempts" in result.stderr
    refused = applied.call("plan", "--json")
    assert refused.exit_code == 1
    assert json.loads(refused.stdout)["error"]["code"] == "config"


def test_a_broker_that_is_away_is_69(applied, tmp_path):
    edit(applied, (applied.url, f"unix://{tmp_path}/nobody"))
    assert applied.call("plan").exit_code == 69


def test_an_embedded_broker_is_not_started(shop, tmp_path):
    edit(shop, (shop.url, "embedded"), ("  allow_eviction: true\n", ""))
    told: Any = shop.json("plan")
    assert [one["kind"] for one in told["changes"]] == ["added", "added"]
    assert not (tmp_path / ".pipeline").exists()


def test_another_projects_file_is_compared_with_its_own_past_only(applied):
    applied.file.write_text(CONFIG.format(url=applied.url).replace("name: shop", "name: store"))
    told = applied.json("plan")
    assert {one["kind"] for one in told["changes"]} == {"added"}


def test_what_another_version_kept_is_passed_over(applied):
    with applied.connection() as connection:
        connection.call(("HSET", keys.history("shop"), 2, '{"generation": 2}'))
    assert applied.json("plan")["generation"] == 1
