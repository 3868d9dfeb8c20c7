"""A trace goes from a producer's program through the broker into a worker's process, and a collector gets it all."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.broker import parse
from pipeline.policy import Batching, JobPolicy, QueuePolicy, RetryPolicy
from pipeline.store import keys
from pipeline.store.connect import connect_blocking
from tests.telemetry.collector import Collector, attributes
from tests.worker.process import Process, eventually

CONSUMER, ERROR = 5, 2
HANDLERS = """
from pipeline import RetryLater

async def on_loop(job):
    from opentelemetry import trace
    assert trace.get_current_span().is_recording()

def fails(job):
    raise LookupError("no such charge")

def later(job):
    raise RetryLater("1h")

def many(jobs):
    pass
"""
PRODUCER = textwrap.dedent("""
    import asyncio, json, sys
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    kept, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    trace.set_tracer_provider(provider)
    from pipeline import AsyncClient, Client
    from pipeline.errors import EnqueueError
    with Client(sys.argv[1], "shop") as client, trace.get_tracer("app").start_as_current_span("checkout"):
        client.enqueue("good", "job", {"n": 1}, priority=3)
        client.enqueue_many("batched", [("job", 1), ("job", 2)])
        try:
            client.enqueue("nobody", "job")
        except EnqueueError:
            pass
    async def sends():
        async with AsyncClient(sys.argv[1], "shop") as client:
            await client.enqueue("bad", "job", id="evt_1")
            await client.enqueue("later", "job")
    asyncio.run(sends())
    print(json.dumps([{
        "name": span.name, "kind": span.kind.name, "trace": f"{span.context.trace_id:032x}",
        "id": f"{span.context.span_id:016x}", "parent": span.parent and f"{span.parent.span_id:016x}",
        "attributes": dict(span.attributes), "status": span.status.status_code.name,
    } for span in kept.get_finished_spans()]))
""")


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    for name in ("OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_SERVICE_NAME"):
        monkeypatch.delenv(name, raising=False)
    with Collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
        yield collector


def queue(name: str, handler: str, **own: Any) -> QueuePolicy:
    return QueuePolicy(name, others=JobPolicy(f"traced:{handler}", retry=RetryPolicy(2)), **own)


def worker(root: Path, broker: str, *queues: QueuePolicy) -> Process:
    (root / "traced.py").write_text(HANDLERS)
    return Process(root, broker, *queues)


def produce(broker: str) -> dict[str, dict[str, Any]]:
    """The spans of a program that puts jobs in."""
    done = subprocess.run([sys.executable, "-c", PRODUCER, broker], stdout=subprocess.PIPE, check=True)
    return {span["name"]: span for span in json.loads(done.stdout)}


def works(process: Process, **ended: int) -> None:
    """Let it work until so many attempts at jobs of each queue have ended, and leave."""
    process.tell({"do": "go"})
    process.hears("ready")

    def all_ended() -> bool:
        return all(
            sum(count for name, count in process.counts(queue).stats.items() if name.startswith("run:")) >= n
            for queue, n in ended.items()
        )

    eventually(all_ended, "all jobs ran")
    process.tell({"do": "drain", "timeout": 5_000})
    assert process.ends() == 0


def test_a_trace_reaches_from_the_producer_into_the_handler(
    tmp_path: Path, broker: str, collector: Collector
) -> None:
    queues = (
        queue("good", "on_loop"),
        queue("bad", "fails"),
        queue("later", "later"),
        queue("batched", "many", batch=Batching(2, 10_000)),
    )
    process = worker(tmp_path, broker, *queues)
    try:
        sent = produce(broker)
        works(process, good=1, bad=2, later=1, batched=2)
    finally:
        process.close()

    # What the producer's program tells.
    good = sent["send good"]
    assert (good["kind"], good["parent"]) == ("PRODUCER", sent["checkout"]["id"])
    assert (
        good["attributes"].items()
        >= {
            "messaging.system": "pipeline",
            "messaging.operation.name": "enqueue",
            "messaging.operation.type": "send",
            "messaging.destination.name": "good",
            "messaging.message.id": "1",
            "pipeline.job.name": "job",
            "pipeline.enqueue.status": "created",
        }.items()
    )
    assert sent["send batched"]["attributes"]["messaging.batch.message_count"] == 2
    assert sent["send nobody"]["status"] == "ERROR"
    assert sent["send nobody"]["attributes"]["error.type"] == "pipeline.errors.NoPolicy"
    assert sent["send bad"]["attributes"]["messaging.message.id"] == "evt_1"

    # What the worker tells the collector.
    ran = collector.span("process good")
    assert (ran.kind, ran.status.code) == (CONSUMER, 0)
    assert attributes(ran) == {
        "messaging.system": "pipeline",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "good",
        "messaging.message.id": "1",
        "messaging.client.id": "w1",
        "pipeline.job.name": "job",
        "pipeline.job.attempt": 1,
        "pipeline.job.max_attempts": 2,
        "pipeline.job.priority": 3,
    }
    assert [(link.trace_id.hex(), link.span_id.hex()) for link in ran.links] == [(good["trace"], good["id"])]
    assert ran.trace_id.hex() != good["trace"]
    assert ran.parent_span_id == b""
    for attempt in (1, 2):
        failed = collector.span("process bad", pipeline__job__attempt=attempt)
        assert (failed.status.code, failed.status.message) == (ERROR, "no such charge")
        assert attributes(failed)["error.type"] == "LookupError"
        assert failed.events[0].name == "exception"
        assert failed.links[0].span_id.hex() == sent["send bad"]["id"]
    assert collector.span("process later").status.code == 0, "the handler wished it so"
    together = collector.span("process batched")
    assert attributes(together)["messaging.batch.message_count"] == 2
    assert [link.span_id.hex() for link in together.links] == [sent["send batched"]["id"]]
    assert collector.resources[0].items() >= {"service.name": "shop", "service.instance.id": "w1"}.items()

    durations = collector.metrics["messaging.process.duration"]
    assert durations.unit == "s"
    points = {
        attributes(point)["messaging.destination.name"]: point for point in durations.histogram.data_points
    }
    assert points["good"].count == 1
    assert attributes(points["bad"])["error.type"] == "LookupError"
    assert list(points["good"].explicit_bounds)[:2] == [0.005, 0.01]
    consumed = collector.metrics["messaging.client.consumed.messages"].sum.data_points
    assert {attributes(point)["messaging.destination.name"]: point.as_int for point in consumed} == {
        "good": 1, "bad": 2, "later": 1, "batched": 2,
    }  # fmt: skip


def test_by_the_switch_a_job_continues_the_trace_also_in_a_process_of_its_own(
    tmp_path: Path, broker: str, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIPELINE_TRACE_PARENT", "true")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "warehouse")
    apart = queue("good", "on_loop", executor="process", concurrency=1)
    quiet = (queue("bad", "fails"), queue("later", "later"), queue("batched", "many"))
    process = worker(tmp_path, broker, apart)
    try:
        for one in quiet:
            process.ask(publish(one))
        sent = produce(broker)
        works(process, good=1)
    finally:
        process.close()
    ran, good = collector.span("process good"), sent["send good"]
    assert (ran.trace_id.hex(), ran.parent_span_id.hex()) == (good["trace"], good["id"])
    assert not ran.links
    assert collector.resources[0]["service.name"] == "warehouse"


def publish(policy: QueuePolicy) -> Any:
    from pipeline.store.store import Store

    return Store("shop", policy.name).publish(1, msgspec.json.encode(policy), "")


def test_where_nothing_is_configured_jobs_carry_nothing_and_workers_load_nothing(
    tmp_path: Path, broker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    (tmp_path / "traced.py").write_text(
        "import sys\ndef look(job):\n    return [name for name in sys.modules if 'opentelemetry' in name]\n"
    )
    process = Process(tmp_path, broker, queue("q", "look"))
    try:
        process.enqueue("q", None)
        with_records = connect_blocking(parse(broker))
        (record,) = with_records.call(("HVALS", keys.jobs(keys.base("shop", "q"))))
        with_records.close()
        assert len(json.loads(record)) == 3
        works(process, q=1)
        job = process._client.job("q", "1")
    finally:
        process.close()
    assert (job.state, job.result) == ("completed", [])


def test_a_collector_that_is_away_keeps_no_worker(
    tmp_path: Path, broker: str, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    process = worker(tmp_path, broker, queue("q", "on_loop"))
    try:
        process.enqueue("q", None)
        works(process, q=1)
        assert process.completed("q") == 1
    finally:
        process.close()
