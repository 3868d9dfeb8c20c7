"""What a producer does to a job that is in already: checked as an enqueue is, and done by both clients alike."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from pipeline import AsyncClient, Client
from pipeline.errors import InvalidOption, InvalidPayload, JobNotFound, PayloadTooLarge, WrongState
from pipeline.job import Outcome
from pipeline.policy import Deduplication, QueuePolicy
from pipeline.store.scripts import script
from pipeline.store.store import Move

Bench = Any
SCHEMA = {"type": "object", "required": ["to"]}


def under(bench: Bench, **job: Any) -> None:
    """From now on this holds for every job."""
    others = msgspec.structs.replace(bench.policy.others, **job)
    bench.publish(msgspec.structs.replace(bench.policy, others=others))


def test_a_waiting_job_gets_another_payload(bench: Bench) -> None:
    (id,) = bench.enqueue()
    assert bench.client.update("emails", id, data={"to": "bob"}) == "waiting"
    job = bench.show(id)
    assert (job.data, job.state, job.priority) == ({"to": "bob"}, "waiting", 0)


def test_what_is_not_given_stays(bench: Bench) -> None:
    data = {"big": 2**63 + 1, "small": 1.0, "text": "é"}
    id = bench.client.enqueue("emails", "send", data, priority=3, attempts=7, timeout="9s").id
    before = bench.connection.call(("HGET", f"{bench.store.queue}:jobs", id))
    bench.client.update("emails", id, priority=4)
    after = bench.connection.call(("HGET", f"{bench.store.queue}:jobs", id))
    assert after == before.replace(b'"priority":3', b'"priority":4')


def test_a_payload_can_become_null(bench: Bench) -> None:
    (id,) = bench.enqueue()
    bench.client.update("emails", id, data=None)
    assert bench.show(id).data is None


def test_a_priority_of_0_leaves_no_options_behind(bench: Bench) -> None:
    id = bench.client.enqueue("emails", "send", 1, priority=3).id
    bench.client.update("emails", id, priority=0)
    assert bench.connection.call(("HGET", f"{bench.store.queue}:jobs", id)).endswith(b'"send",1]')


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"data": {"cc": "ann"}}, InvalidPayload),
        ({"data": float("nan")}, InvalidPayload),
        ({"data": {"to": "x" * 2_000_000}}, PayloadTooLarge),
        ({"priority": 1.5}, InvalidOption),
        ({"priority": 1_000_001}, InvalidOption),
        ({"delay": "1h", "front": True}, InvalidOption),
        ({"at": datetime(2030, 1, 1)}, InvalidOption),  # noqa: DTZ001 - that is what is refused
    ],
)
def test_what_an_enqueue_would_refuse_is_refused(
    bench: Bench, change: dict[str, Any], error: type[Exception]
) -> None:
    under(bench, schema=SCHEMA)
    id = bench.client.enqueue("emails", "send", {"to": "ann"}).id
    with pytest.raises(error):
        bench.client.update("emails", id, **change)
    assert bench.show(id).data == {"to": "ann"}


def test_a_policy_that_was_just_published_counts(bench: Bench) -> None:
    (id,) = bench.enqueue()
    under(bench, schema={"type": "string"})
    with pytest.raises(InvalidPayload, match="does not fit its schema"):
        bench.client.update("emails", id, data={"to": "bob"})


@pytest.mark.parametrize("state", ["active", "completed"])
def test_a_job_that_runs_or_is_completed_is_refused(bench: Bench, state: str) -> None:
    bench.enqueue()
    id = (
        bench.end("completed", outcome=Outcome(1, 1, 2))
        if state == "completed"
        else next(iter(bench.take(1)))
    )
    with pytest.raises(WrongState, match=f"job {id} of 'emails' is {state}: it cannot be changed"):
        bench.client.update("emails", id, data=1)


def test_a_dead_job_is_mended_and_retried(bench: Bench) -> None:
    bench.enqueue()
    id = bench.die()
    assert bench.client.update("emails", id, data={"to": "bob"}, priority=2) == "dead"
    with pytest.raises(WrongState, match="it has no time to change"):
        bench.client.update("emails", id, delay="1h")
    assert bench.client.retry("emails", id) == "dead"
    job = bench.show(id)
    assert (job.state, job.data, job.priority, bench.ids("waiting")) == ("waiting", {"to": "bob"}, 2, [id])


def test_one_that_waits_for_another_attempt_is_changed(bench: Bench) -> None:
    bench.enqueue()
    ((id, lease),) = bench.take(1).items()
    bench.turn(moves=[Move("delayed", id.encode(), lease, delay=60_000)])
    assert bench.client.update("emails", id, data=1, delay="2h") == "delayed"
    assert bench.show(id).due_at - bench.operator.time() > 7_000_000


def test_a_waiting_job_is_delayed_and_what_it_may_wait_moves_along(bench: Bench) -> None:
    id = bench.client.enqueue("emails", "send", 1, expires="10m").id
    expires = bench.options(id).expires
    assert bench.client.update("emails", id, delay="1h") == "delayed"
    assert bench.options(id).expires - expires == pytest.approx(3_600_000, abs=1_000)
    later = bench.options(id).expires
    at = datetime.now(UTC) + timedelta(hours=3)
    assert bench.client.update("emails", id, at=at) == "delayed"
    assert bench.options(id).expires - later == pytest.approx(7_200_000, abs=1_000)


def test_a_delayed_job_is_due_at_once(bench: Bench) -> None:
    id = bench.client.enqueue("emails", "send", 1, delay="1h").id
    assert bench.client.update("emails", id, delay="0s") == "waiting"
    other = bench.client.enqueue("emails", "send", 1, delay="1h").id
    assert bench.client.update("emails", other, front=True) == "waiting"
    assert list(bench.take(5)) == [other, id]


def test_two_changes_at_once_are_both_made(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    (id,) = bench.enqueue()
    with Client(bench.url, name="shop") as other:
        between(bench.client, lambda: other.update("emails", id, priority=6), monkeypatch)
        assert bench.client.update("emails", id, data="new") == "waiting"
    job = bench.show(id)
    assert (job.data, job.priority) == ("new", 6)


def test_a_job_that_is_taken_meanwhile_is_not_changed_half_way(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    (id,) = bench.enqueue()
    between(bench.client, lambda: bench.take(1), monkeypatch)
    with pytest.raises(WrongState, match="is active"):
        bench.client.update("emails", id, data="new", priority=6)
    assert bench.show(id).priority == 0


def between(client: Client, deed: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody does something when the job was read, before it is changed."""
    call, deeds = client._call, [deed]

    def calling(asked: Any) -> Any:
        if script("change").sha in asked.command and deeds:
            deeds.pop()()
        return call(asked)

    monkeypatch.setattr(client, "_call", calling)


def test_a_job_is_duplicated_with_what_it_has_of_its_own(bench: Bench) -> None:
    options: dict[str, Any] = {"priority": 3, "attempts": 7, "timeout": "9s", "expires": "10m"}
    first = bench.client.enqueue("emails", "send", {"to": "ann"}, **options).id
    answer = bench.client.duplicate("emails", first)
    assert (answer.status, answer.id != first) == ("created", True)
    one, two = bench.show(first), bench.show(answer.id)
    assert (two.name, two.data, two.priority, two.attempts) == (one.name, one.data, 3, 7)
    mine, theirs = bench.options(first), bench.options(answer.id)
    assert theirs.timeout == mine.timeout
    assert theirs.expires == pytest.approx(mine.expires, abs=1_000)
    assert bench.client.duplicate("emails", first, new_id="again").id == "again"


def test_a_duplicate_of_what_is_not_done_yet_is_one_for_deduplication_too(bench: Bench) -> None:
    under(bench, deduplication=Deduplication("{data.to}", "until_done"))
    first = bench.client.enqueue("emails", "send", {"to": "ann"}).id
    assert bench.client.duplicate("emails", first) == msgspec.structs.replace(
        bench.client.enqueue("emails", "send", {"to": "ann"}), id=first
    )


@pytest.mark.parametrize("move", ["update", "promote", "retry", "duplicate"])
def test_a_job_that_is_not_kept_is_not_found(bench: Bench, move: str) -> None:
    options = {"priority": 1} if move == "update" else {}
    with pytest.raises(JobNotFound):
        getattr(bench.client, move)("emails", "99", **options)


def test_promote_and_retry_leave_what_they_do_not_mean(bench: Bench) -> None:
    (id,) = bench.enqueue()
    assert (bench.client.promote("emails", id), bench.client.retry("emails", id)) == ("waiting", "waiting")
    later = bench.client.enqueue("emails", "send", 1, delay="1h").id
    assert bench.client.promote("emails", later) == "delayed"
    assert bench.show(later).state == "waiting"


async def test_the_client_of_coroutines_does_the_same(bench: Bench) -> None:
    async with AsyncClient(bench.url, name="shop") as client:
        id = (await client.enqueue("emails", "send", 1, delay="1h")).id
        assert await client.update("emails", id, data=2, priority=9) == "delayed"
        assert await client.promote("emails", id) == "delayed"
        assert await client.retry("emails", id) == "waiting"
        copy = await client.duplicate("emails", id)
    job = bench.show(copy.id)
    assert (job.data, job.priority, job.state) == (2, 9, "waiting")


def test_a_queue_without_a_policy_for_the_job_is_no_hindrance(bench: Bench) -> None:
    (id,) = bench.enqueue()
    bench.publish(QueuePolicy("emails", jobs={}, others=None))
    assert bench.client.update("emails", id, data=5) == "waiting"
