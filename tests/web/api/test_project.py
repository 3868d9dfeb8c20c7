"""Schedules, flows, workers, config and the OpenAPI document."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator
from msgspec.structs import replace

from pipeline.status.supervisors import PoolState, RunningState, SupervisorState, WorkerState
from pipeline.store import keys
from pipeline.store.history import Applied, remember
from pipeline.web.api import config
from pipeline.web.effective import ConfigLine, Effective
from pipeline.web.routes import ROUTES
from tests.web.api.conftest import SHOP, Api, Bench, plan_of, publish


async def test_a_schedule_has_its_next_runs_and_a_payload_without_what_is_hidden(api: Api) -> None:
    (line,) = (await api.get("schedules"))["schedules"]
    assert (line["name"], line["queue"], line["when"], line["applied"]) == (
        "nightly",
        "emails",
        "15 2 * * *",
        True,
    )
    assert (len(line["upcoming"]), line["upcoming"][0]) == (5, line["next_at"])
    assert line["data"] == {"card": "[redacted]", "mode": "full"}


async def test_a_schedule_is_run_now_with_its_whole_payload_paused_and_resumed(
    api: Api, bench: Bench
) -> None:
    put = await api.do("schedules/nightly/run")
    assert bench.show(put["id"]).data == {"card": "4242-secret", "mode": "full"}
    assert await api.do("schedules/nightly/pause") == {"name": "nightly", "paused": True, "changed": True}
    assert (await api.get("schedules"))["schedules"][0]["paused_by"] == "admin@web"
    assert await api.do("schedules/nightly/resume") == {"name": "nightly", "paused": False, "changed": True}
    assert (await api.ask("POST", "schedules/nope/pause")).code == "unknown_schedule"


async def test_a_flow_is_begun_shown_and_cancelled(api: Api, bench: Bench) -> None:
    wanted = {"data": {"id": 7, "sku": "a", "payment": {"number": "4242-4242"}}, "id": "a7"}
    begun = await api.ask("POST", "flows/order", wanted)
    assert (begun.status, begun.json) == (201, {"id": "order:a7", "status": "created"})
    assert (await api.do("flows/order", wanted))["status"] == "duplicate"
    page = await api.get("flows/order/a7")
    assert page["data"]["value"] == {"id": 7, "sku": "a", "payment": {"number": "[redacted]"}}
    assert page["data"]["redacted"] == ["data.payment.number"]
    assert [(step["name"], step["needs"]) for step in page["steps"]] == [("pay", []), ("pack", ["pay"])]
    assert page["actions"] == ["cancel"]
    job = await api.get(f"queues/emails/jobs/{page['steps'][0]['ids'][0]}")
    assert job["flow"] == {"id": "order:a7", "step": "pay"}
    assert job["data"]["value"] == {"card": "[redacted]", "order": 7}
    listed = await api.get("flows?flow=order&state=running")
    assert [flow["id"] for flow in listed["flows"]] == ["order:a7"]
    assert listed["names"][0]["open"] == 1
    assert (await api.do("flows/order/order:a7/cancel"))["state"] in ("cancelling", "cancelled")
    assert (await api.ask("GET", "flows/order/nope")).code == "flow_not_found"
    assert (await api.ask("POST", "flows/nope", {})).code == "unknown_flow"
    assert (await api.ask("GET", "flows?state=nope")).status == 422


async def test_workers_tell_what_they_run_while_somebody_looks(api: Api, bench: Bench) -> None:
    (id,) = bench.enqueue(count=1)
    now = 10**13
    worker = WorkerState("emails.1", 43, 1, 1024, "v1", 5, [RunningState("emails", id, now - 60, now)])
    one = SupervisorState("web1", 42, 1, "h", "ready", None, 1, [PoolState("emails", "running", 1, None, "emails")],
                          [worker, replace(worker, name="emails.2", jobs=None)], until=now)  # fmt: skip
    bench.connection.call(("HSET", keys.supervisors("shop"), "web1:42", msgspec.json.encode(one)))
    (found,) = (await api.get("workers"))["supervisors"]
    assert (found["host"], found["live"], found["pools"][0]["pool"]) == ("web1", True, "emails")
    assert (await api.get(f"queues/emails/jobs/{id}"))["job"]["started_at"] is None
    bench.take(1)
    page = await api.get(f"queues/emails/jobs/{id}")
    assert (page["job"]["state"], page["job"]["started_at"]) == ("active", now - 60)
    first, second = found["workers"]
    assert first["jobs"] == [
        {"queue": "emails", "id": id, "name": "send", "since_at": now - 60, "deadline_at": now}
    ]
    assert (first["jobs_told"], second["jobs_told"], second["jobs"]) == (True, False, [])
    assert bench.connection.call(("PTTL", keys.looked("shop"))) > 0


async def test_generations_are_listed_with_what_changed(api: Api, broker: str, bench: Bench) -> None:
    document = msgspec.json.decode(msgspec.json.encode(SHOP))
    document["queues"]["emails"]["concurrency"] = 50
    document["schedules"]["nightly"]["data"]["card"] = "another-secret"
    document["alerts"]["oncall"]["url"] = "https://hooks.example.com/other-secret"
    plan = plan_of(document, Path(api.shop.plan.root), broker)
    await publish(plan, broker, 2)
    await remember(
        api.shop.connection, "shop", Applied(2, plan.hash, 2_000, "bob@host", plan.file, "reload", plan)
    )
    second, first = (await api.get("history"))["generations"]
    assert (second["generation"], second["by"], second["applied_at"], first["generation"]) == (
        2,
        "bob@host",
        2_000,
        1,
    )
    changes = {
        change["path"]: (change["from"], change["to"], change["class"]) for change in second["changes"]
    }
    assert changes["queues.emails.concurrency"] == (10, 50, "hot")
    assert changes["alerts.oncall.url"] == ("[hidden]", "[hidden]", "hot")
    assert "secret" not in str(changes)
    assert (await api.get("history/1?against=2"))["changes"][0]["to"] is not None
    assert (await api.get("history/2"))["generation"]["hash"] == plan.hash
    for path in ("history/3", "history/x", "history/99999999999999999999"):
        assert (await api.ask("GET", path)).status == 404


async def test_the_config_page_compares_the_file_with_what_runs(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def look(file: str, profile: str | None) -> Effective:
        queues = {**plan.queues, "emails": replace(plan.queues["emails"], concurrency=80)}
        return Effective([ConfigLine("name: shop", f"{file}:1")], plan=replace(plan, queues=queues))

    plan = api.shop.plan
    monkeypatch.setattr(config, "effective_of", look)
    page = await api.get("config")
    assert [(one["path"], one["from"], one["to"]) for one in page["pending"]] == [
        ("queues.emails.concurrency", 10, 80)
    ]
    running = {one["path"]: one["value"] for one in page["running"]}
    assert (running["queues.emails.concurrency"], running["alerts.oncall.url"]) == (10, "[hidden]")
    assert "4242-secret" not in str(running)
    assert page["lines"][0]["text"] == "name: shop"


async def test_a_reload_without_a_supervisor_says_so(api: Api) -> None:
    assert (await api.ask("POST", "config/reload")).code == "not_running"
    assert (await api.ask("POST", "history/1/rollback")).code == "not_running"


async def test_alerts_are_told_without_their_addresses(api: Api, bench: Bench) -> None:
    bench.connection.call(("HSET", keys.alerts("{shop:emails}"), "dead", "3 1764541000000 0"))
    (line,) = (await api.get("alerts"))["alerts"]
    assert (line["name"], line["kind"], line["queues"]) == ("oncall", "json", ["emails"])
    assert line["told"] == [{"queue": "emails", "what": "dead", "at": 1764541000000}]


async def test_charts_are_of_one_queue_or_all(api: Api) -> None:
    assert (await api.get("charts?queue=emails&minutes=60"))["queues"] == ["emails"]
    assert len((await api.get("charts"))["queues"]) == 3
    assert (await api.ask("GET", "charts?queue=nope")).status == 404


# --- the document -----------------------------------------------------------------------------------------


def validator(document: dict[str, Any], path: str, method: str, status: str) -> Draft202012Validator:
    """What the document says of an answer."""
    responses = document["paths"][path][method]["responses"]
    answer = responses.get(status) or responses[f"{status[0]}XX"]
    return Draft202012Validator(
        {**answer["content"]["application/json"]["schema"], "components": document["components"]}
    )


async def test_real_answers_are_as_the_document_says(api: Api, bench: Bench) -> None:
    document = await api.get("openapi.json")
    dead = bench.dead({"order": 17, "card": "4242-4242"}, "declined")
    (waiting,) = bench.enqueue(count=1)
    await api.do("flows/order", {"data": {"id": 7, "sku": "a", "payment": {"number": "1"}}, "id": "a7"})
    asked = {
        "GET": ["overview", "queues/{queue:emails}", "queues/{queue:emails}/jobs", f"queues/{{queue:emails}}/jobs/{{id:{dead}}}",
                f"queues/{{queue:emails}}/jobs/{{id:{dead}}}/data", f"queues/{{queue:emails}}/jobs/{{id:{dead}}}/result",
                "queues/{queue:emails}/groups", "queues/{queue:stock}/lanes", "schedules", "flows", "flows/{flow:order}/{id:a7}",
                "workers", "history", "history/{n:1}", "alerts", "charts", "tasks", "queues/{queue:nope}"],
        "POST": ["queues/{queue:emails}/pause", "queues/{queue:emails}/resume", "queues/{queue:emails}/reset", "schedules/{name:nightly}/run",
                 f"queues/{{queue:emails}}/jobs/{{id:{waiting}}}/cancel", f"queues/{{queue:emails}}/jobs/{{id:{dead}}}/duplicate",
                 f"queues/{{queue:emails}}/jobs/{{id:{dead}}}/retry", "queues/{queue:emails}/redrive", "queues/{queue:emails}/purge",
                 "flows/{flow:order}/{id:a7}/cancel", "schedules/{name:nightly}/pause", "queues/{queue:emails}/jobs"],
    }  # fmt: skip
    for method, paths in asked.items():
        for path in paths:
            template = "/api/v1/" + re.sub(r":[^}]+\}", "}", path)
            answer = await api.ask(method, re.sub(r"\{\w+:([^}]+)\}", r"\1", path))
            problems = list(
                validator(document, template, method.lower(), str(answer.status)).iter_errors(answer.json)
            )
            assert not problems, (path, problems[0].message, answer.body)


async def test_the_document_has_every_route_with_its_role(api: Api) -> None:
    document = await api.get("openapi.json")
    told = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert told == {(route.method, route.path) for route in ROUTES if route.path.startswith("/api/")}
    ids = [
        operation["operationId"] for methods in document["paths"].values() for operation in methods.values()
    ]
    assert len(ids) == len(set(ids))
    assert "operator" in document["paths"]["/api/v1/queues/{queue}/pause"]["post"]["description"]


async def test_one_look_serves_all_who_ask_within_a_second(api: Api, bench: Bench) -> None:
    def looked() -> int:
        told = bench.connection.call(("INFO", "commandstats")).decode()
        return int(re.search(r"cmdstat_evalsha:calls=(\d+)", told)[1])  # type: ignore[index]

    await api.get("overview")
    before = looked()
    await asyncio.gather(*(api.get("overview") for _ in range(20)))
    assert looked() - before < 12
