"""The picture of a project: its shape field by field, and what its figures mean."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
import pytest

from pipeline.broker import parse
from pipeline.client import Client
from pipeline.job import KeptError, Outcome, Runs, encode
from pipeline.plan import BrokerPlan, Plan, PoolPlan, SupervisorPlan
from pipeline.policy import JobPolicy, QueuePolicy, RetryPolicy
from pipeline.status.failures import newest
from pipeline.status.histogram import quantile
from pipeline.status.snapshot import Snapshot, nothing_runs, take
from pipeline.store.call import run_blocking
from pipeline.store.connect import connect, connect_blocking
from pipeline.store.operator import Operator
from pipeline.store.overrides import Scale
from pipeline.store.store import Move, Store
from pipeline.store.wire import Connection
from tests.acl import by_admin

QUEUE_FIELDS = [
    "waiting", "delayed", "active", "blocked", "completed", "dead", "cancelled", "paused", "workers",
    "oldest_waiting_ms", "enqueued_total", "completed_total", "dead_total", "cancelled_total", "redriven_total",
    "purged_total", "failed_attempts_total", "lost_leases_total", "duplicates_total", "reruns_total",
]  # fmt: skip
EMAILS = QueuePolicy("emails", others=JobPolicy(handler="h:send", retry=RetryPolicy(attempts=3)))
SUPERVISOR = {
    "host": "box", "pid": 7, "generation": 1, "hash": "abc", "state": "ready", "reason": None, "started_at": 5,
    "pools": [{"queue": "emails", "state": "running", "processes": 2, "reason": None}], "workers": [],
}  # fmt: skip


class Shop:
    """A project with one queue, whose jobs are moved by hand."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.plan = Plan(
            "shop",
            "r",
            "f",
            "abc",
            BrokerPlan(url),
            SupervisorPlan(),
            None,
            {"emails": EMAILS},
            {"emails": PoolPlan(("emails",))},
        )
        self.connection = connect_blocking(parse(url))
        self.store = Store("shop", "emails")
        self.operator = Operator(self.connection, "shop", "emails")
        run_blocking(self.connection, self.store.publish(1, msgspec.json.encode(EMAILS), ""))
        self.client = Client(url, "shop")
        self.turns = 0

    def say(self, name: str = "s1", **changes: Any) -> None:
        """Write a supervisor's record, valid for 5 s."""
        seconds, _ = self.connection.call(("TIME",))
        record = {**SUPERVISOR, "until": int(seconds) * 1000 + 5_000, **changes}
        self.connection.call(("HSET", "{shop}:supervisors", name, msgspec.json.encode(record)))

    def end(self, *moves: Any, counters: list[Any] | None = None) -> None:
        """Run one waiting job for each move, and end it so."""
        ids = self.turn(want=len(moves), moves=[])
        lease = int(self.connection.call(("GET", f"{self.store.queue}:last_lease")))
        settled = [move._replace(id=id, lease=lease) for id, move in zip(ids, moves, strict=True)]
        self.turn(want=0, moves=settled, counters=counters or [])

    def turn(self, *, want: int, moves: list[Move], counters: list[Any] | None = None) -> list[bytes]:
        self.turns += 1
        command = self.store.turn(
            "w1", self.turns, want=want, park=False, source="", keep=-1,
            ids=[], leases=[], outcomes=[], moves=moves, counters=counters or [],
        )  # fmt: skip
        return list(self.connection.call(command)[4])

    def ask(self, question: Callable[[Connection], Coroutine[Any, Any, Any]]) -> Any:
        async def with_connection() -> Any:
            connection = await connect(parse(self.url))
            try:
                return await question(connection)
            finally:
                connection.close()

        return asyncio.run(with_connection())

    def look(self) -> Snapshot:
        """Take a picture."""
        snapshot: Snapshot = self.ask(lambda connection: take(connection, self.plan))
        return snapshot


@pytest.fixture
def shop(broker: str) -> Any:
    shop = Shop(broker)
    yield shop
    shop.client.close()
    shop.connection.close()


COMPLETED = Move("completed", b"", 0, outcome=encode(Outcome(1, 1, 2)))
ERROR = KeptError(1, 9, "TimeoutError", "too slow")
DEAD = Move("dead", b"", 0, runs=encode(Runs(1, 0, (ERROR,))), outcome=encode(Outcome(1, 1, 9, None, ERROR)))


def test_the_json_has_the_promised_fields_in_their_order(shop: Shop) -> None:
    shop.say()
    told = shop.look().as_json()
    first = ["name", "generation", "in_sync", "broker", "supervisors", "queues"]
    assert list(told) == [*first, "file_error", "schedules", "flows"]
    assert list(told["broker"])[:5] == ["kind", "version", "durability", "used_memory", "ok"]
    fields = ["host", "pid", "generation", "hash", "state", "reason", "started_at", "pools"]
    assert list(told["supervisors"][0])[:8] == fields
    assert list(told["supervisors"][0]["pools"][0])[:4] == ["queue", "state", "processes", "reason"]
    assert list(told["queues"]["emails"])[:20] == QUEUE_FIELDS


def test_totals_tell_where_every_job_went(shop: Shop) -> None:
    run_blocking(shop.connection, shop.store.join("w1", 60_000))
    shop.client.enqueue_many("emails", [("send", n) for n in range(7)])
    shop.client.enqueue("emails", "send", 1, id="own")
    shop.client.enqueue("emails", "send", 1, id="own")
    shop.end(COMPLETED, DEAD, DEAD, counters=["failed", 2, "reruns", 1])
    dead = next(shop.operator.jobs(["dead"]))
    shop.operator.redrive(dead.id)
    shop.end(COMPLETED)
    shop.operator.cancel("5")
    shop.operator.purge()
    queue = shop.look().queues["emails"]
    assert (queue.waiting, queue.active, queue.completed, queue.dead, queue.cancelled) == (0, 0, 2, 1, 1)
    assert (queue.enqueued_total, queue.redriven_total, queue.duplicates_total) == (8, 1, 1)
    assert (queue.failed_attempts_total, queue.reruns_total, queue.lost_leases_total) == (2, 1, 0)
    ended = queue.completed_total + queue.dead_total + queue.cancelled_total + queue.purged_total
    assert queue.enqueued_total + queue.redriven_total == ended
    assert queue.oldest_waiting_ms is None


def test_the_oldest_waiting_job_has_an_age(shop: Shop) -> None:
    shop.client.enqueue("emails", "send", 1)
    age = shop.look().queues["emails"].oldest_waiting_ms
    assert age is not None
    assert 0 <= age < 5_000


def test_the_project_is_in_sync_when_all_that_live_run_this_file(shop: Shop) -> None:
    assert shop.look().in_sync is None
    shop.say("s1")
    assert shop.look().in_sync is True
    shop.say("s2", hash="other")
    assert shop.look().in_sync is False


def test_a_supervisor_that_is_silent_is_stale_and_does_not_count(shop: Shop) -> None:
    shop.say(until=1_000, hash="other")
    snapshot = shop.look()
    assert [one.state for one in snapshot.supervisors] == ["stale"]
    assert str(snapshot.supervisors[0].reason).startswith("no sign of life for")
    assert (snapshot.live, snapshot.in_sync) == ([], None)


def test_a_stale_supervisor_lives_and_the_project_is_not_in_sync(shop: Shop) -> None:
    shop.say(state="stale", reason="rolled back to 12", held=True)
    snapshot = shop.look()
    assert ([one.held for one in snapshot.live], snapshot.in_sync) == ([True], False)
    assert snapshot.stale == "rolled back to 12"


def test_a_mistake_in_the_file_is_told_by_the_supervisor_or_else_by_whoever_looks(shop: Shop) -> None:
    def look() -> Snapshot:
        picture: Snapshot = shop.ask(lambda connection: take(connection, shop.plan, "f.yaml:1:1"))
        return picture

    assert (look().stale, look().in_sync) == (None, None)
    shop.say()
    assert (look().stale, look().in_sync, look().file_error) == ("f.yaml:1:1", False, "f.yaml:1:1")
    shop.say(state="stale", reason="f.yaml:2:2")
    assert look().stale == "f.yaml:2:2"


def test_a_record_of_an_older_version_is_read_with_what_it_lacks(shop: Shop) -> None:
    shop.say(workers=[{"name": "emails.1", "pid": 8, "running": 0}])
    (one,) = shop.look().supervisors
    assert (one.profile, one.held, one.pools[0].pool, one.pools[0].recycled) == (None, False, "", {})
    assert one.workers[0].code is None


def test_a_record_of_another_version_is_left_out(shop: Shop) -> None:
    shop.connection.call(("HSET", "{shop}:supervisors", "s9", '{"pid": "what"}'))
    assert shop.look().supervisors == []


def test_a_queue_that_the_file_lost_is_shown_as_such(shop: Shop) -> None:
    shop.connection.call(("SADD", "{shop}:queues", "emails", "old"))
    queues = shop.look().queues
    assert list(queues) == ["emails", "old"]
    assert (queues["emails"].in_file, queues["old"].in_file) == (True, False)


def test_a_paused_queue_says_by_whom(shop: Shop) -> None:
    assert (shop.look().queues["emails"].paused, shop.look().queues["emails"].paused_by) == (False, None)
    shop.operator.pause("ann@box")
    assert (shop.look().queues["emails"].paused, shop.look().queues["emails"].paused_by) == (True, "ann@box")


def test_a_queue_on_hold_says_until_when(shop: Shop) -> None:
    held = shop.look().at + 60_000
    shop.connection.call(("HSET", f"{shop.store.queue}:meta", "held", f"{held - 90_000} {held}"))
    assert shop.look().queues["emails"].held_until_at == held
    shop.connection.call(("HSET", f"{shop.store.queue}:meta", "held", f"{held - 90_000} {held - 70_000}"))
    assert shop.look().queues["emails"].held_until_at is None


def test_what_people_changed_is_told_beside_what_the_file_says(shop: Shop) -> None:
    assert shop.look().queues["emails"].overrides == []
    shop.operator.scale(Scale(4, "ann@box", 5, 99, 1))
    shop.operator.pause("bob@box", 2**43)
    pause, scale = shop.look().as_json()["queues"]["emails"]["overrides"]
    assert scale == {
        "field": "processes", "value": 4, "by": "ann@box", "set_at": 5, "until_at": 99, "file": 1,
    }  # fmt: skip
    assert (pause["field"], pause["value"], pause["by"]) == ("paused", True, "bob@box")
    assert (pause["until_at"], pause["file"]) == (2**43, False)


def test_a_pause_of_the_file_is_no_override_but_a_resume_against_it_is(shop: Shop) -> None:
    policy = msgspec.json.encode(msgspec.structs.replace(EMAILS, paused=True))
    run_blocking(shop.connection, shop.store.publish(2, policy, ""))
    run_blocking(shop.connection, shop.store.pause(b'{"by":"file","at":1}'))
    queue = shop.look().queues["emails"]
    assert (queue.paused, queue.paused_by, queue.overrides) == (True, "file", [])
    shop.operator.resume()
    (override,) = shop.look().queues["emails"].overrides
    assert (override.field, override.value, override.file, override.by) == ("paused", False, True, None)


def test_a_pause_that_another_version_wrote_is_shown_as_it_stands(shop: Shop) -> None:
    run_blocking(shop.connection, shop.store.pause("ann"))
    assert shop.look().queues["emails"].paused_by == "ann"


def test_a_queue_that_what_runs_has_no_more_is_removed(shop: Shop) -> None:
    assert shop.look().queues["emails"].removed is False
    run_blocking(shop.connection, shop.store.retract(2))
    assert shop.look().queues["emails"].removed is True


def test_a_broker_that_may_lose_jobs_is_not_ok_and_says_why(shop: Shop, broker: str) -> None:
    found = shop.look().broker
    assert (found.ok, found.durability) == (False, "none")
    assert "durability is everysec in the file, but a crash of the broker loses" in str(found.reason)
    by_admin(broker, "CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    try:
        assert "evicts keys" in str(shop.look().broker.reason)
    finally:
        by_admin(broker, "CONFIG", "SET", "maxmemory-policy", "noeviction")


def test_a_project_that_does_not_run_has_the_same_shape(shop: Shop) -> None:
    told = nothing_runs(shop.plan).as_json()
    assert list(told) == list(shop.look().as_json())
    assert (told["broker"]["ok"], told["supervisors"], told["queues"]) == (False, [], {})


@pytest.mark.parametrize(
    ("buckets", "p50", "p99"),
    [
        ({0: 100}, 0.05, 0.1),  # all below 0.1 ms
        ({4: 100}, 1.2, 1.59),  # all from 0.8 to 1.6 ms
        ({1: 50, 10: 50}, 0.2, 101.38),  # half of them slow
        ({3: 99, 14: 1}, 0.6, 0.8),
    ],
)
def test_percentiles_lie_inside_their_bucket(buckets: dict[int, int], p50: float, p99: float) -> None:
    assert (quantile(buckets, 0.5), quantile(buckets, 0.99)) == (p50, p99)


def test_histograms_become_percentiles_of_the_queue(shop: Shop) -> None:
    assert shop.look().queues["emails"].run_ms is None
    run_blocking(shop.connection, shop.store.join("w1", 60_000))
    shop.turn(want=0, moves=[], counters=["run:4", 100, "wait:0", 100])
    snapshot = shop.look()
    assert snapshot.run["emails"] == {4: 100}
    assert snapshot.queues["emails"].run_ms == (1.2, 1.59)
    assert snapshot.queues["emails"].wait_ms == (0.05, 0.1)


def test_the_newest_failures_are_those_that_died_and_those_that_run_again(shop: Shop) -> None:
    run_blocking(shop.connection, shop.store.join("w1", 60_000))
    shop.client.enqueue_many("emails", [("send", n) for n in range(3)])
    later = KeptError(1, 50, "OSError", "away")
    again = Move("delayed", b"", 0, delay=60_000, runs=encode(Runs(1, 0, (later,))))
    shop.end(DEAD, again, COMPLETED)
    failures = shop.ask(lambda connection: newest(connection, "shop", ["emails"]))
    told = [(f.id, f.dead, f.attempt, f.attempts, f.error) for f in failures]
    assert told == [("2", False, 1, 3, "OSError: away"), ("1", True, 1, 3, "TimeoutError: too slow")]
