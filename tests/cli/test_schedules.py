"""`pipeline schedules`, and what `status` says of them."""

from __future__ import annotations

import json

import pytest

from pipeline.config.load import require
from pipeline.state import me
from pipeline.store.call import run_blocking
from pipeline.store.schedules import Schedules
from pipeline.supervisor.publish import schedules_of
from tests.cli.conftest import Shop

SCHEDULES = """\
schedules:
  nightly: {queue: payments, job: capture, cron: "15 2 * * *", timezone: Europe/Paris, data: {mode: full}}
  tidy: {queue: emails, job: tidy, every: 5m, overlap: skip}
"""


@pytest.fixture
def clock(shop: Shop) -> Shop:
    """The shop with two schedules, which a supervisor has applied."""
    shop.file.write_text(shop.file.read_text() + SCHEDULES)
    apply(shop)
    return shop


def apply(shop: Shop) -> None:
    shop.publish()
    plan = require(shop.file)
    with shop.connection() as connection:
        for queue in plan.queues:
            run_blocking(connection, Schedules("shop", queue).arrange(1, schedules_of(plan, queue)))


def test_list_tells_when_each_fires_next_on_a_narrow_terminal(clock: Shop) -> None:
    told = clock.ok("schedules", "list")
    assert "nightly  next" in told
    assert "15 2 * * * Europe/Paris" in told
    assert "tidy     next" in told
    assert "every 5m" in told
    assert "payments capture: 0 enqueued" in told
    assert max(map(len, told.splitlines())) <= 80


def test_list_has_everything_for_programs(clock: Shop) -> None:
    nightly, tidy = clock.json("schedules", "list")
    assert (nightly["name"], nightly["queue"], nightly["job"]) == ("nightly", "payments", "capture")
    assert tidy["next_at"] % 300_000 == 0
    assert {key: value for key, value in tidy.items() if key not in ("name", "queue", "job", "next_at")} == {
        "when": "every 5m", "applied": True, "last_at": None, "last_job": None, "last_state": None,
        "fired_total": 0, "skipped_total": 0, "missed_total": 0, "paused": False, "paused_by": None, "paused_at": None,
    }  # fmt: skip


def test_a_file_without_schedules_says_so(shop: Shop) -> None:
    assert shop.ok("schedules", "list") == "the file has no schedules\n"
    assert shop.json("schedules", "list") == []


def test_run_enqueues_the_job_now_and_prints_its_id(clock: Shop) -> None:
    id, status = clock.ok("schedules", "run", "nightly").split()
    assert (id.rpartition(":")[0], status) == ("nightly:run", "created")
    job = clock.json("jobs", "show", "payments", id)
    assert (job["name"], job["data"], job["state"]) == ("capture", {"mode": "full"}, "waiting")


def test_a_person_pauses_a_schedule_and_lets_it_go_on(clock: Shop) -> None:
    assert clock.ok("schedules", "pause", "tidy") == "tidy is paused\n"
    assert clock.ok("schedules", "pause", "tidy") == "tidy was paused already\n"
    tidy = clock.json("schedules", "list")[1]
    assert (tidy["paused"], tidy["paused_by"], tidy["next_at"]) == (True, me(), None)
    assert f"paused by {me()}" in clock.ok("schedules", "list")
    assert f"schedule tidy is paused, by {me()}" in clock.call("status").output
    assert clock.json("schedules", "resume", "tidy") == {"name": "tidy", "paused": False, "changed": True}
    assert clock.ok("schedules", "resume", "tidy") == "tidy was not paused\n"


@pytest.mark.parametrize("command", ["run", "pause", "resume"])
def test_an_unknown_schedule_is_refused_with_the_near_name(clock: Shop, command: str) -> None:
    refused = clock.call("schedules", command, "nigthly")
    assert refused.exit_code == 1
    assert "there is no schedule 'nigthly'" in refused.output
    assert "did you mean 'nightly'?" in refused.output


def test_a_schedule_that_no_supervisor_has_applied_is_told(shop: Shop) -> None:
    shop.file.write_text(shop.file.read_text() + SCHEDULES)
    assert "next not applied yet" in shop.ok("schedules", "list")
    refused = shop.call("schedules", "pause", "tidy")
    assert refused.exit_code == 1
    assert "no supervisor has applied" in refused.output


def test_status_has_the_next_runs(clock: Shop) -> None:
    told = clock.call("status").output
    header = next(line for line in told.splitlines() if line.startswith("schedule"))
    assert header.split() == ["schedule", "next", "last", "when"]
    assert "15 2 * * * Europe/Paris" in told
    assert list(json.loads(clock.call("status", "--json").stdout)["schedules"]) == ["nightly", "tidy"]


def test_a_schedule_that_ends_or_is_due_is_told(shop: Shop) -> None:
    text = "schedules: {once: {queue: emails, job: a, every: 1h, limit: 1}, old: {queue: emails, job: a, every: 1h}}\n"
    shop.file.write_text(shop.file.read_text() + text)
    apply(shop)
    with shop.connection() as connection:
        key = "{shop:emails}:schedules"
        connection.call(("HSET", key, "once:fired", 1, "once:job", "once:5", "once:ran", 5, "old:after", 5))
    told = shop.ok("schedules", "list")
    assert "once  next ended  every 1h" in told
    assert "old   next due  every 1h" in told
    assert "not kept any more  once:5" in told
