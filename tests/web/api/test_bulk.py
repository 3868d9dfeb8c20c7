"""Many jobs at once: found, moved, stopped."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.web import moves
from tests.web.api.conftest import Api, Bench

BULK = "queues/emails/bulk"


async def begin(api: Api, body: dict[str, Any]) -> dict[str, Any]:
    """A task that was begun, once it has ended."""
    answer = await api.ask("POST", BULK, body)
    assert answer.status == 202, answer.body
    return await api.ended(answer.json["task"]["id"])


async def test_named_jobs_are_moved_and_the_others_stay(api: Api, bench: Bench) -> None:
    ids = [bench.dead({}) for _ in range(3)]
    task = await begin(api, {"do": "retry", "ids": [*ids[:2], "gone"]})
    assert (task["state"], task["total"], task["done"], task["moved"], task["elsewhere"]) == (
        "done",
        3,
        3,
        2,
        1,
    )
    assert sorted(bench.ids("waiting")) == sorted(ids[:2])
    assert bench.ids("dead") == ids[2:]


async def test_jobs_that_a_filter_means_are_moved(api: Api, bench: Bench) -> None:
    meant = [bench.dead({}, "card declined") for _ in range(2)]
    bench.dead({}, "no network")
    task = await begin(api, {"do": "remove", "states": ["dead"], "filters": {"error": "DECLINED"}})
    assert (task["moved"], task["total"]) == (2, 2)
    assert not set(meant) & set(bench.ids("dead"))


async def test_all_of_a_state_are_moved_in_rounds(
    api: Api, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moves, "ROUND", 4)
    monkeypatch.setattr(moves, "CHUNK", 3)
    bench.enqueue(count=11)
    task = await begin(api, {"do": "cancel", "all": True})
    assert (task["state"], task["moved"], task["total"]) == ("done", 11, 11)
    assert bench.counts().waiting == 0


async def test_what_cannot_be_moved_is_told_once_and_ends_the_rounds(api: Api, bench: Bench) -> None:
    bench.enqueue(count=2)
    bench.take(2)
    task = await begin(api, {"do": "cancel", "states": ["active", "waiting"], "all": True})
    assert (task["state"], task["told"], task["moved"]) == ("done", 2, 0)


async def test_a_purge_deletes_all_that_waits(api: Api, bench: Bench) -> None:
    bench.enqueue(count=5)
    answer = await api.ask("POST", "queues/emails/purge")
    assert answer.status == 202
    assert (await api.ended(answer.json["task"]["id"]))["moved"] == 5
    assert bench.counts().waiting == 0


async def test_a_redrive_with_care_stops_when_jobs_die_again(api: Api, bench: Bench) -> None:
    for _ in range(6):
        bench.dead({})
    answer = await api.ask("POST", "queues/emails/redrive", {"probe": 2, "stop_at": 0.2, "patience": "1m"})
    while bench.counts().waiting == 0:
        pass
    for _ in range(2):
        bench.die()
    task = await api.ended(answer.json["task"]["id"])
    assert (task["moved"], task["died"], task["left"], task["state"]) == (2, 2, 4, "done")
    assert "died again" in task["reason"]


async def test_a_task_is_stopped_behind_its_chunk(api: Api, bench: Bench) -> None:
    for _ in range(4):
        bench.dead({})
    answer = await api.ask("POST", "queues/emails/redrive", {"rate": 0.01})
    id = answer.json["task"]["id"]
    while bench.counts().waiting == 0:
        pass
    stopped = (await api.do(f"tasks/{id}", method="DELETE"))["task"]
    assert stopped["state"] in ("stopping", "stopped")
    task = await api.ended(id)
    assert (task["state"], task["moved"], task["left"]) == ("stopped", 1, 3)
    assert (await api.get("tasks"))["tasks"][0]["id"] == id


NONSENSE: list[dict[str, Any]] = [
    {}, {"do": "explode", "all": True}, {"do": "retry"}, {"do": "retry", "ids": []}, {"do": "retry", "ids": ["1"], "all": True},
    {"do": "retry", "filters": {}}, {"do": "remove", "all": True}, {"do": "retry", "states": ["waiting"], "all": True},
    {"do": "retry", "states": ["nope"], "all": True}, {"do": "retry", "ids": [1]}, {"do": "retry", "ids": ["x"] * 10_001},
    {"do": "redrive", "all": True, "rate": -1}, {"do": "redrive", "all": True, "probe": 0}, {"do": "redrive", "all": True, "stop_at": 2},
    {"do": "redrive", "all": True, "patience": "soon"}, {"do": "purge", "ids": ["1"]}, {"do": "retry", "filters": {"since": "x"}},
    {"do": "retry", "filters": {"text": "x" * 2_000}},
]  # fmt: skip


async def test_a_task_that_makes_no_sense_is_refused(api: Api) -> None:
    for body in NONSENSE:
        answer = await api.ask("POST", BULK, body)
        assert answer.status == 422, (body, answer.body)
    assert (await api.get("tasks"))["tasks"] == []


async def test_so_many_tasks_run_at_once_and_no_more(api: Api, bench: Bench) -> None:
    for _ in range(10):
        bench.dead({})
    ids = [(await api.do("queues/emails/redrive", {"rate": 0.01}))["task"]["id"] for _ in range(8)]
    answer = await api.ask("POST", "queues/emails/redrive", {"rate": 0.01})
    assert (answer.status, answer.code, answer.headers["retry-after"]) == (429, "too_many", "5")
    for id in ids:
        await api.do(f"tasks/{id}", method="DELETE")


async def test_a_search_for_a_hidden_value_moves_nothing(api: Api, bench: Bench) -> None:
    id = bench.dead({"card": "4242-4242"}, "card 4242-4242 is empty")
    for filters in ({"text": "4242"}, {"error": "4242"}):
        assert (await begin(api, {"do": "retry", "filters": filters}))["moved"] == 0
        assert (await api.get(f"queues/emails/jobs?{next(iter(filters))}=4242"))["jobs"] == []
    assert bench.show(id).state == "dead"
