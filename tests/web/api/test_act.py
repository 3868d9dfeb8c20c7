"""One job, moved and changed through the API."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.job import decode_job
from pipeline.store import keys
from tests.web.api.conftest import Api, Bench

JOB = "queues/emails/jobs"


async def test_a_dead_job_waits_again(api: Api, bench: Bench) -> None:
    id = bench.dead({})
    assert await api.do(f"{JOB}/{id}/retry") == {
        "queue": "emails",
        "id": id,
        "state": "waiting",
        "stopping": False,
    }
    assert bench.show(id).state == "waiting"


async def test_a_delayed_job_is_due_now(api: Api, bench: Bench) -> None:
    id = bench.put({}, delay="1h")
    assert (await api.do(f"{JOB}/{id}/promote"))["state"] == "waiting"
    assert bench.take(1).keys() == {id}


async def test_a_waiting_job_is_withdrawn_and_one_that_runs_is_told_to_stop(api: Api, bench: Bench) -> None:
    ids = bench.enqueue(count=2)
    assert (await api.do(f"{JOB}/{ids[1]}/cancel"))["state"] == "cancelled"
    bench.take(1)
    answer = await api.do(f"{JOB}/{ids[0]}/cancel")
    assert (answer["state"], answer["stopping"]) == ("active", True)


async def test_a_job_is_deleted_and_copied(api: Api, bench: Bench) -> None:
    id = bench.completed({"order": 17})
    copy = await api.do(f"{JOB}/{id}/duplicate", {"id": "mine"})
    assert copy == {"queue": "emails", "id": "mine", "status": "created"}
    assert bench.show("mine").data == {"order": 17}
    assert (await api.do(f"{JOB}/{id}", method="DELETE"))["state"] == "removed"
    assert (await api.ask("GET", f"{JOB}/{id}")).status == 404


@pytest.mark.parametrize(
    ("state", "move"),
    [("completed", "retry"), ("waiting", "retry"), ("completed", "cancel"), ("dead", "cancel"), ("waiting", "promote"), ("dead", "promote")],
)  # fmt: skip
async def test_a_move_that_makes_no_sense_is_a_conflict_that_names_the_state(
    api: Api, bench: Bench, state: str, move: str
) -> None:
    make: Any = {"completed": bench.completed, "waiting": bench.put, "dead": bench.dead}[state]
    answer = await api.ask("POST", f"{JOB}/{make({})}/{move}")
    assert (answer.status, answer.code) == (409, "wrong_state")
    assert state in answer.json["error"]["message"]


async def test_a_job_that_runs_is_not_deleted_or_changed(api: Api, bench: Bench) -> None:
    id = bench.put({})
    bench.take(1)
    assert (await api.ask("DELETE", f"{JOB}/{id}")).status == 409
    assert (await api.ask("PATCH", f"{JOB}/{id}", {"priority": 3})).status == 409


async def test_a_job_in_another_state_than_was_seen_is_left_alone(api: Api, bench: Bench) -> None:
    id = bench.put({})
    answer = await api.ask("POST", f"{JOB}/{id}/cancel", {"if_state": "delayed"})
    assert (answer.status, answer.code) == (409, "wrong_state")
    assert (await api.ask("DELETE", f"{JOB}/{id}?if_state=dead")).status == 409
    assert bench.show(id).state == "waiting"


# --- changes ----------------------------------------------------------------------------------------------


def data(bench: Bench, id: str) -> object:
    """What the broker has."""
    return decode_job(bench.connection.call(("HGET", keys.jobs(bench.store.queue), id))).data


async def test_payload_priority_and_time_are_changed(api: Api, bench: Bench) -> None:
    id = bench.put({"n": 1})
    assert await api.do(f"{JOB}/{id}", {"data": {"n": 2}, "priority": 7}, method="PATCH") == {
        "queue": "emails", "id": id, "state": "waiting", "stopping": False}  # fmt: skip
    assert (data(bench, id), bench.show(id).priority) == ({"n": 2}, 7)
    assert (await api.do(f"{JOB}/{id}", {"delay": "1h"}, method="PATCH"))["state"] == "delayed"
    assert (await api.do(f"{JOB}/{id}", {"data": None}, method="PATCH"))["state"] == "delayed"
    assert data(bench, id) is None


async def test_an_edit_never_writes_the_marker_back(api: Api, bench: Bench) -> None:
    id = bench.put({"card": "4242-4242", "note": "for 4242-4242", "big": 2**60, "n": 1})
    seen = (await api.get(f"{JOB}/{id}"))["data"]["value"]
    assert seen == {"card": "[redacted]", "note": "for [redacted]", "big": str(2**60), "n": 1}
    await api.do(f"{JOB}/{id}", {"data": seen | {"n": 2}}, method="PATCH")
    assert data(bench, id) == {"card": "4242-4242", "note": "for 4242-4242", "big": 2**60, "n": 2}
    answer = await api.ask("PATCH", f"{JOB}/{id}", {"data": seen | {"copy": "[redacted]"}})
    assert (answer.status, answer.code) == (409, "redacted")
    assert data(bench, id) == {"card": "4242-4242", "note": "for 4242-4242", "big": 2**60, "n": 2}


async def test_a_refusal_does_not_quote_what_is_hidden(api: Api, bench: Bench) -> None:
    id = bench.put({"order": 1, "card": "4242-4242"}, "receipt")
    job = bench.connection.call(("HGET", keys.jobs(bench.store.queue), id)).replace(
        b'"order":1', b'"order":"4242-4242"'
    )
    bench.connection.call(("HSET", keys.jobs(bench.store.queue), id, job))
    seen = (await api.get(f"{JOB}/{id}"))["data"]["value"]
    for answer in (
        await api.ask("PATCH", f"{JOB}/{id}", {"data": seen}),
        await api.ask("POST", f"{JOB}/{id}/duplicate"),
    ):
        assert answer.status == 422
        assert b"4242" not in answer.body


async def test_a_payload_that_does_not_fit_its_schema_is_refused(api: Api, bench: Bench) -> None:
    id = bench.put({"order": 1}, "receipt")
    answer = await api.ask("PATCH", f"{JOB}/{id}", {"data": {"order": "x"}})
    assert (answer.status, answer.code) == (422, "invalid_payload")


NO_CHANGES: list[Any] = [
    {}, {"priority": 10**9}, {"priority": 1.5}, {"delay": "soon"}, {"delay": "1h", "at": 5}, {"at": "tomorrow"}, {"at": "2026-01-01T00:00:00"},
    {"delay": "9" * 60 + "d"}, {"priority": True}, {"front": True, "delay": "1s"}, {"at": 10**18}
]  # fmt: skip


async def test_a_change_that_is_none_is_refused(api: Api, bench: Bench) -> None:
    id = bench.put({})
    for body in NO_CHANGES:
        answer = await api.ask("PATCH", f"{JOB}/{id}", body)
        assert answer.status == 422, (body, answer.body)


BAD_JSON = [b"{", b"[1,]", b'{"data": NaN}', b'{"data": Infinity}', b'{"data": 1, "data": 2}', b"\xff\xfe", b'{"data": 1e999}', b"nul",
            b'{"data": ' + b"[" * 100 + b"]" * 100 + b"}", b'{"data": ' + b"[" * 200_000 + b"}", b'{"data": ' + b"9" * 5_000 + b"}"]  # fmt: skip


async def test_a_body_that_is_no_strict_json_is_refused(api: Api, bench: Bench) -> None:
    id = bench.put({})
    for raw in BAD_JSON:
        for method, path in (("PATCH", f"{JOB}/{id}"), ("POST", JOB), ("POST", "queues/emails/bulk")):
            answer = await api.ask(method, path, raw=raw)
            assert (answer.status, answer.code) == (400, "bad_request"), (raw[:40], answer.body)


LEAST = [
    ("GET", JOB, "viewer"), ("POST", f"{JOB}/1/retry", "operator"), ("PATCH", f"{JOB}/1", "operator"), ("DELETE", f"{JOB}/1", "operator"),
    ("POST", "queues/emails/pause", "operator"), ("POST", "queues/emails/scale", "admin"), ("POST", "queues/emails/purge", "admin"),
    ("POST", "queues/emails/reset", "admin"), ("POST", "history/1/rollback", "admin"), ("POST", "schedules/nightly/run", "operator"),
    ("GET", "workers", "viewer"), ("POST", "queues/emails/redrive", "operator")
]  # fmt: skip
ROLES = ("viewer", "operator", "admin")


async def test_a_lesser_role_is_refused(api: Api) -> None:
    for method, path, least in LEAST:
        for role in ROLES:
            answer = await api.ask(method, path, role=role)
            assert (answer.status == 403) is (ROLES.index(role) < ROLES.index(least)), (
                path,
                role,
                answer.body,
            )


async def test_a_purge_by_way_of_bulk_needs_the_admin_too(api: Api) -> None:
    assert (await api.ask("POST", "queues/emails/bulk", {"do": "purge"}, role="operator")).status == 403
