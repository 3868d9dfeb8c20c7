"""What a project measures, as metrics: every one by convention, bounded, and right whoever asks."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from time import process_time
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read

from pipeline.broker import parse
from pipeline.job import encode
from pipeline.status.measures import Measures, measure
from pipeline.status.supervisors import PoolState, SupervisorState
from pipeline.store import keys, names
from pipeline.store.call import run
from pipeline.store.connect import connect
from pipeline.store.store import Move, Store
from pipeline.store.tally import Tally
from pipeline.store.wire import Connection
from pipeline.web.exposition import OPEN, render
from pipeline.web.families import families
from tests.plans import plan_of

PLAN = plan_of({"name": "shop", "queues": {"emails": {"handler": "hands:send"}}})
CONVENTION = re.compile(r"pipeline_[a-z]+(_[a-z]+)*")
Samples = dict[str, float]


def found(measures: Measures | None) -> Samples:
    """Each sample by its name and labels, without the project's, which all have."""
    told: Samples = {}
    for family in read(render(families(PLAN, measures), OPEN).decode()):
        for sample in family.samples:
            labels = dict(sample.labels)
            assert labels.pop("project") == "shop"
            inside = ",".join(f"{name}={value}" for name, value in sorted(labels.items()))
            told[f"{sample.name}{{{inside}}}"] = sample.value
    return told


@pytest.fixture
async def connection(broker: str) -> AsyncIterator[Connection]:
    connection = await connect(parse(broker))
    yield connection
    connection.close()


async def look(connection: Connection) -> Samples:
    return found(await measure(connection, PLAN))


async def serve(connection: Connection, *counters: Any, done: int = 0, worker: str = "w1") -> None:
    """A worker takes so many jobs and settles them in its next turn, with these counters."""
    store = Store("shop", "emails")
    await run(connection, store.join(worker, 60_000))
    reply = await connection.call(turn(store, worker, 1, want=done))
    ids, lease = reply[4], reply[3]
    await connection.call(turn(store, worker, 2, ids=ids, leases=[lease] * len(ids), counters=list(counters)))


def turn(store: Store, worker: str, number: int, *, want: int = 0, **told: Any) -> tuple[Any, ...]:
    nothing: dict[str, Any] = {"ids": [], "leases": [], "outcomes": [], "moves": list[Move](), "counters": []}
    return store.turn(worker, number, want=want, source="", keep=100, **({"park": False} | nothing | told))


async def enqueue(connection: Connection, count: int) -> None:
    records = [encode((1, "send", {}))] * count
    await run(connection, Store("shop", "emails").enqueue("p", 1, "", 0, records))


async def test_jobs_are_told_by_state_and_by_how_they_ended(connection: Connection) -> None:
    await enqueue(connection, 5)
    await serve(connection, "=completed:send", 2, "=failed:send", 1, "failed", 1, done=2)
    told = await look(connection)
    assert told["pipeline_jobs{queue=emails,state=waiting}"] == 3
    assert told["pipeline_jobs_enqueued_total{queue=emails}"] == 5
    assert told["pipeline_jobs_ended_total{queue=emails,state=completed}"] == 2
    assert told["pipeline_jobs_processed_total{job=send,queue=emails,result=completed}"] == 2
    assert told["pipeline_jobs_processed_total{job=send,queue=emails,result=failed}"] == 1
    assert told["pipeline_queue_oldest_waiting_seconds{queue=emails}"] > 1e9, "it came in 1970"


async def test_histograms_are_cumulative_in_seconds_with_their_sums(connection: Connection) -> None:
    # One took less than 12.8 ms and more than half of that; two took 102.4 to 204.8 ms.
    await serve(connection, "run:7", 1, "run:11", 2, "run_us", 310_000, "wait:0", 3, "wait_us", 50)
    told = await look(connection)
    of = "pipeline_job_duration_seconds"
    assert told[f"{of}_bucket{{le=0.0032,queue=emails}}"] == 0
    assert told[f"{of}_bucket{{le=0.0128,queue=emails}}"] == 1
    assert told[f"{of}_bucket{{le=0.1024,queue=emails}}"] == 1
    assert told[f"{of}_bucket{{le=0.2048,queue=emails}}"] == 3
    assert told[f"{of}_bucket{{le=+Inf,queue=emails}}"] == told[f"{of}_count{{queue=emails}}"] == 3
    assert told[f"{of}_sum{{queue=emails}}"] == 0.31
    assert told["pipeline_job_wait_seconds_bucket{le=0.0002,queue=emails}"] == 3


async def test_workers_are_counted_by_the_broker_whichever_supervisor_they_have(
    connection: Connection,
) -> None:
    await serve(connection, worker="w1")
    await run(connection, Store("shop", "emails").join("w2", 60_000))
    await connection.call(turn(Store("shop", "emails"), "w2", 1, want=1, park=True))
    told = await look(connection)
    assert told["pipeline_workers{queue=emails,state=idle}"] == 1
    assert told["pipeline_workers{queue=emails,state=busy}"] == 1


async def test_totals_of_all_processes_are_told(connection: Connection) -> None:
    tally = Tally("shop")
    tally.count("ingress", "stripe", "created", by=3)
    tally.count("restarts", "emails", "died")
    tally.count("alerts", "oncall", "failed")
    tally.count("reloads", "applied")
    tally.count("a later version's", "x", "y")
    await tally.flush(connection)
    told = await look(connection)
    assert told["pipeline_ingress_requests_total{endpoint=stripe,outcome=created}"] == 3
    assert told["pipeline_worker_restarts_total{pool=emails,reason=died}"] == 1
    assert told["pipeline_alerts_sent_total{alert=oncall,result=failed}"] == 1
    assert told["pipeline_config_reloads_total{result=applied}"] == 1


async def supervised(connection: Connection, *supervisors: SupervisorState) -> Samples:
    for number, one in enumerate(supervisors):
        await connection.call(("HSET", keys.supervisors("shop"), f"s{number}", encode(one)))
    return await look(connection)


def supervisor(state: Any = "ready", pool: Any = "running", **own: Any) -> SupervisorState:
    fields = {"started_at": 1_000, "until": 2**53, **own}
    return SupervisorState("h", 1, 7, "abc", state, None, pools=[PoolState("emails", pool, 1)], **fields)


async def test_pools_and_reloads_are_those_of_the_supervisors_that_live(connection: Connection) -> None:
    dead = supervisor(pool="backoff", until=1)
    told = await supervised(connection, supervisor(reloaded_at=5_000), supervisor(pool="fatal"), dead)
    assert told["pipeline_pools{queue=emails,state=running}"] == 1
    assert told["pipeline_pools{queue=emails,state=fatal}"] == 1
    assert told["pipeline_pools{queue=emails,state=backoff}"] == 0
    assert told["pipeline_supervisors{state=ready}"] == 2
    assert told["pipeline_config_info{generation=7,hash=abc}"] == 1
    assert told["pipeline_config_last_reload_successful{}"] == 1
    assert told["pipeline_config_last_reload_success_timestamp_seconds{}"] == 5


async def test_a_file_that_is_rejected_by_one_is_no_success_but_a_rollback_is(
    connection: Connection,
) -> None:
    told = await supervised(connection, supervisor(), supervisor("stale"))
    assert told["pipeline_config_last_reload_successful{}"] == 0
    told = await supervised(connection, supervisor(), supervisor("stale", held=True))
    assert told["pipeline_config_last_reload_successful{}"] == 1


async def test_names_are_by_convention_and_help_is_a_sentence(connection: Connection) -> None:
    await serve(connection, "=completed:send", 2)
    told = families(PLAN, await measure(connection, PLAN))
    for family in told:
        assert CONVENTION.fullmatch(family.name), family.name
        assert not family.name.endswith(("_total", "_info", "_ms", "_count", "_sum")), family.name
        assert family.help.endswith("."), family.name
        assert family.labels[0] == "project"


async def test_what_has_no_name_any_more_is_told_as_others(connection: Connection) -> None:
    await run(connection, names.count("shop", "emails", {"completed:": 4}))
    told = await look(connection)
    assert told["pipeline_jobs_processed_total{job=(other),queue=emails,result=completed}"] == 4


def test_while_the_broker_is_away_that_is_told() -> None:
    told = found(None)
    assert told["pipeline_broker_up{}"] == 0
    assert any(name.startswith("pipeline_build_info") for name in told)
    assert len(told) == 2


async def test_a_scrape_of_50_queues_takes_less_than_20_ms_of_the_processor(connection: Connection) -> None:
    queues = {f"q{number}": {"handler": "hands:send"} for number in range(50)}
    plan = plan_of({"name": "shop", "queues": queues})
    times = [f"{kind}:{bucket}" for kind in ("run", "wait") for bucket in range(3, 20)]
    by_name = [f"{outcome}:job{number}" for outcome in ("completed", "failed") for number in range(5)]
    for queue in queues:
        base = keys.base("shop", queue)
        await connection.call(("HSET", keys.stats(base), *(part for name in times for part in (name, 7))))
        await connection.call(("HSET", keys.names(base), *(part for name in by_name for part in (name, 7))))
    took = []
    for _ in range(5):
        begun = process_time()
        text = render(families(plan, await measure(connection, plan)), OPEN)
        took.append(process_time() - begun)
    assert text.count(b"\n") > 3_500
    assert min(took) < 0.020
