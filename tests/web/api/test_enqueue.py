"""Jobs put in by any program."""

from __future__ import annotations

from typing import Any

from tests.web.api.conftest import Api, Bench

PATH = "queues/emails/jobs"


async def test_one_job_is_put_in(api: Api, bench: Bench) -> None:
    answer = await api.ask(
        "POST", PATH, {"job": "send", "data": {"to": "ann"}, "id": "order-17", "priority": 5}
    )
    assert (answer.status, answer.json) == (201, {"queue": "emails", "id": "order-17", "status": "created"})
    job = bench.show("order-17")
    assert (job.data, job.priority, job.state) == ({"to": "ann"}, 5, "waiting")


async def test_a_second_one_with_its_id_is_a_duplicate(api: Api) -> None:
    await api.do(PATH, {"job": "send", "id": "order-17"})
    answer = await api.ask("POST", PATH, {"job": "send", "id": "order-17"})
    assert (answer.status, answer.json["status"]) == (200, "duplicate")


async def test_a_list_is_put_in_as_a_whole_or_not_at_all(api: Api, bench: Bench) -> None:
    answers = await api.do(PATH, [{"job": "send", "data": n} for n in range(3)])
    assert [one["status"] for one in answers] == ["created"] * 3
    refused = await api.ask("POST", PATH, [{"job": "send"}, {"job": "receipt", "data": {"order": "x"}}])
    assert (refused.status, refused.code) == (422, "invalid_payload")
    assert bench.counts().waiting == 3


async def test_a_request_with_a_key_makes_its_jobs_once(api: Api, bench: Bench) -> None:
    first = await api.do(PATH, {"job": "send"}, idempotency_key="k1")
    again = await api.do(PATH, {"job": "send", "data": "another"}, idempotency_key="k1")
    assert (first["status"], again["status"], again["id"]) == ("created", "duplicate", first["id"])
    several = [{"job": "send"}, {"job": "send", "id": "own"}]
    ids = [[one["id"] for one in await api.do(PATH, several, idempotency_key="k2")] for _ in range(2)]
    assert ids == [["http:k2:0", "own"]] * 2
    assert bench.counts().waiting == 3


async def test_a_job_can_be_delayed_and_expire(api: Api, bench: Bench) -> None:
    await api.do(
        PATH, {"job": "send", "id": "late", "delay": "1h", "expires": "10m", "attempts": 7, "timeout": "3s"}
    )
    job = bench.show("late")
    assert (job.state, job.attempts) == ("delayed", 7)
    assert job.due_at is not None
    # The client knows the server's clock, to a few ms.
    assert abs((job.expires_at or 0) - job.due_at - 600_000) < 5_000
    await api.do(PATH, {"job": "send", "id": "then", "at": "2096-01-31T09:00:00Z"})
    assert bench.show("then").due_at == 3978838800000


REFUSED: list[tuple[Any, int]] = [
    ({}, 422), ([], 422), ("text", 422), (17, 422), (None, 422), ([1], 422), ({"job": 1}, 422),
    ({"job": "send", "id": "17"}, 422), ({"job": "send", "id": "a b"}, 422), ({"job": "send", "priority": 10**7}, 422),
    ({"job": "send", "delay": "-1s"}, 422), ({"job": "send", "delay": 5}, 422), ({"job": "send", "delay": "9" * 50 + "w"}, 422),
    ({"job": "send", "at": "noon"}, 422), ({"job": "send", "at": -(10**18)}, 422), ({"job": "send", "attempts": 0}, 422),
    ({"job": "receipt", "data": {"order": "x"}}, 422), ({"job": "send", "data": "x" * 1_100_000}, 413), ({"job": "send", "data": 2**70}, 400),
    ([{"job": "send"}] * 1_001, 422), ({"job": "send", "timeout": "0s", "expires": "x"}, 422), ({"job": "send", "delay": "1s", "front": True}, 422),
]  # fmt: skip


async def test_what_cannot_be_put_in_is_refused_and_nothing_is_stored(api: Api, bench: Bench) -> None:
    for body, status in REFUSED:
        answer = await api.ask("POST", PATH, body, raw=b"null" if body is None else None)
        assert answer.status == status, (body, answer.body)
        assert bench.counts().enqueued == 0, body


async def test_a_queue_that_is_not_there_is_a_404_with_near_names(api: Api) -> None:
    answer = await api.ask("POST", "queues/emailz/jobs", {"job": "send"})
    assert (answer.status, answer.code) == (404, "unknown_queue")
    assert "emails" in answer.json["error"]["help"]


async def test_a_key_that_is_none_is_refused(api: Api) -> None:
    for key in ("", "a b", "ä", "x" * 101, "a/b"):
        assert (await api.ask("POST", PATH, {"job": "send"}, idempotency_key=key)).status == 422
