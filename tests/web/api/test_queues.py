"""A whole queue: its page, what people change in it, its groups and lanes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from pipeline.store.call import run_blocking
from pipeline.store.store import Store
from tests.web.api.conftest import SHOP, Api, Bench, Open


async def test_the_overview_tells_of_every_queue(api: Api, bench: Bench) -> None:
    bench.enqueue(count=3)
    bench.dead({}, "card declined")
    seen = await api.get("overview")
    emails = next(queue for queue in seen["queues"] if queue["name"] == "emails")
    assert (emails["waiting"], emails["dead"], emails["in_file"], len(emails["spark"])) == (3, 1, True, 60)
    assert (seen["totals"]["waiting"], seen["name"], seen["problem"]) == (3, "shop", None)
    assert seen["failures"][0]["error"] == "TimeoutError: card declined"
    assert (seen["schedules"]["total"], seen["schedules"]["next"]) == (1, "nightly")


async def test_a_queue_says_how_it_is(api: Api, bench: Bench) -> None:
    bench.put({"sku": "1"}, queue="stock")
    bench.put({}, queue="morgue")
    bench.operator.pause("ann")
    seen = {queue["name"]: queue for queue in (await api.get("overview"))["queues"]}
    assert (seen["stock"]["health"], seen["emails"]["health"], seen["morgue"]["health"]) == (
        "stopped",
        "paused",
        "ok",
    )
    assert "no worker" in seen["stock"]["health_reason"]


async def test_a_queue_page_has_what_the_file_says(api: Api) -> None:
    page = await api.get("queues/emails")
    assert page["settings"]["redact"] == ["data.card", "data.customers.*.email", "result.token"]
    assert page["settings"]["dead_letter"] == {"queue": "morgue", "alert": "oncall"}
    assert (page["settings"]["concurrency"], page["settings"]["processes"], page["settings"]["pool"]) == (
        10,
        1,
        "emails",
    )
    (receipt,) = page["jobs"]
    assert (receipt["name"], receipt["attempts"], receipt["schema"]["type"]) == ("receipt", 3, "object")
    assert (page["other_names"], page["schedules"]) == (True, ["nightly"])


async def test_a_queue_is_paused_for_a_while_and_goes_on(api: Api, bench: Bench) -> None:
    paused = await api.do("queues/emails/pause", {"for": "1h"})
    assert (paused["paused"], paused["changed"], paused["until_at"] is not None) == (True, True, True)
    pause = bench.operator.overrides().pause
    assert pause is not None
    assert pause.by == "admin@web"
    assert await api.do("queues/emails/resume") == {
        "queue": "emails",
        "paused": False,
        "changed": True,
        "until_at": None,
    }


async def test_processes_are_scaled_and_taken_back(api: Api, bench: Bench) -> None:
    scaled = await api.do("queues/emails/scale", {"processes": 4})
    assert (scaled["pool"], scaled["queues"], scaled["processes"], scaled["was"]) == (
        "emails",
        ["emails"],
        4,
        1,
    )
    removed = (await api.do("queues/emails/reset"))["removed"]
    assert [(one["field"], one["value"], one["file"]) for one in removed] == [("processes", 4, 1)]
    assert bench.operator.overrides().scale is None


@pytest.mark.parametrize("body", [{}, {"processes": 0}, {"processes": 10**9}, {"processes": 1.5}, {"processes": 2, "for": "0s"}, {"processes": 2, "for": "x"}])  # fmt: skip
async def test_a_number_of_processes_that_is_none_is_refused(api: Api, body: dict[str, object]) -> None:
    assert (await api.ask("POST", "queues/emails/scale", body)).status == 422


async def test_a_queue_that_nothing_serves_is_not_scaled(api: Api) -> None:
    answer = await api.ask("POST", "queues/morgue/scale", {"processes": 2})
    assert (answer.status, answer.code) == (409, "not_run")


async def test_dead_jobs_are_grouped_by_what_they_died_of(api: Api, bench: Bench) -> None:
    for number in range(3):
        bench.dead({}, f"order {number} declined")
    last = bench.dead({}, "no network", "OSError")
    found = await api.get("queues/emails/groups")
    assert [(group["count"], group["type"], group["message"]) for group in found["groups"]] == [
        (3, "TimeoutError", "order <n> declined"), (1, "OSError", "no network")]  # fmt: skip
    assert (found["looked"], found["complete"]) == (4, True)
    group = found["groups"][1]["id"]
    assert [job["id"] for job in (await api.get(f"queues/emails/jobs?state=dead&group={group}"))["jobs"]] == [
        last
    ]


async def test_the_fullest_lanes_are_listed(api: Api, bench: Bench) -> None:
    for sku in ("a", "b", "b"):
        bench.put({"sku": sku}, queue="stock")
    run_blocking(bench.connection, Store("shop", "stock").join("w9", 60_000))
    lanes = (await api.get("queues/stock/lanes?limit=1"))["lanes"]
    assert [lane["lane"] for lane in lanes] == ["b"]


# --- what is hidden ---------------------------------------------------------------------------------------

CARD = "4242-4242-4242"


async def test_a_hidden_value_comes_out_nowhere(api: Api, bench: Bench) -> None:
    id = bench.dead({"card": CARD, "note": CARD, "customers": [{"email": "ann@example.com"}]}, f"{CARD} of ann@example.com declined",
                    traceback=f"Traceback {CARD}", id="job-1")  # fmt: skip
    paths = [f"queues/emails/jobs/{id}", f"queues/emails/jobs/{id}/data", f"queues/emails/jobs/{id}/result", "queues/emails/jobs",
             "queues/emails/jobs?text=job-1", "queues/emails/groups", "overview", "queues/emails", "schedules", "config", "history",
             "history/1", "flows", "alerts", "workers"]  # fmt: skip
    for path in paths:
        answer = await api.ask("GET", path)
        assert answer.status == 200, answer.body
        for hidden in (CARD, "ann@example.com", "4242-secret", "secret-part"):
            assert hidden not in answer.body.decode(), path


async def test_the_copy_of_a_dead_job_hides_what_the_job_hid(api: Api, bench: Bench) -> None:
    bench.put({"card": CARD}, queue="morgue", id="emails:1")
    assert (await api.get("queues/morgue/jobs/emails:1"))["data"]["value"] == {"card": "[redacted]"}


async def test_what_is_hidden_follows_the_plan_at_once(api: Api, bench: Bench, opened: Open) -> None:
    id = bench.put({"card": CARD, "pin": "987654"})
    document = {
        **SHOP,
        "queues": {**SHOP["queues"], "emails": {**SHOP["queues"]["emails"], "redact": ["data.pin"]}},
    }
    other = await opened(document)
    api.shop.plan = other.shop.plan
    assert (await api.get(f"queues/emails/jobs/{id}"))["data"]["value"] == {"card": CARD, "pin": "[redacted]"}


async def test_a_queue_that_left_the_file_hides_what_it_hid(api: Api, bench: Bench, opened: Open) -> None:
    id = bench.put({"card": CARD, "n": 1})
    queues = {name: one for name, one in SHOP["queues"].items() if name != "emails"}
    plan = api.shop.plan
    api.shop.plan = replace(plan, queues={name: plan.queues[name] for name in queues}, schedules={}, flows={})
    assert (await api.get(f"queues/emails/jobs/{id}"))["data"]["value"] == {"card": "[redacted]", "n": 1}
    assert (await api.get("overview"))["queues"][-1]["health"] == "removed"


# --- the stream -------------------------------------------------------------------------------------------


async def events(api: Api, path: str, count: int) -> list[tuple[str, str]]:
    """The first events of a stream."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(
        f"GET /api/v1/{path} HTTP/1.1\r\nhost: {api.at}\r\nauthorization: Bearer a-long-token-of-the-viewer\r\n\r\n".encode()
    )
    found: list[tuple[str, str]] = []
    name = ""
    async with asyncio.timeout(15):
        while len(found) < count:
            line = (await reader.readline()).decode().strip()
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: "):
                found.append((name, line[6:]))
    writer.close()
    return found


async def test_a_stream_begins_with_the_overview_and_tells_what_happens(api: Api, bench: Bench) -> None:
    async def make() -> None:
        for _ in range(200):
            bench.dead({"card": CARD}, f"{CARD} declined")
            await asyncio.sleep(0.05)

    making = asyncio.ensure_future(make())
    found = await events(api, "stream?queue=emails", 30)
    making.cancel()
    assert found[0][0] == "overview"
    told = [data for name, data in found if name == "event"]
    assert any('"event":"dead"' in data and "[redacted] declined" in data for data in told)
    assert not any(CARD in data for _, data in found)


async def test_a_stream_ends_when_the_process_leaves(api: Api) -> None:
    reading = asyncio.ensure_future(events(api, "stream", 2))
    await until(lambda: len(api.shop.desk.hub) == 1)
    api.shop.stopping.set()
    assert (await reading)[-1] == ("end", "{}")
    await until(lambda: len(api.shop.desk.hub) == 0)


async def until(holds: Callable[[], bool]) -> None:
    """Wait for it."""
    async with asyncio.timeout(15):
        while not holds():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)


async def test_a_stream_of_a_queue_that_is_not_there_is_a_404(api: Api) -> None:
    assert (await api.ask("GET", "stream?queue=nope")).status == 404
