"""What a hot change does: to the next job, and to the next call of a client that is open already."""

from __future__ import annotations

import json
import signal

import pytest

from pipeline import Client
from pipeline.errors import InvalidPayload, PayloadTooLarge


def one(settings: str) -> str:
    return f"queues:\n  a: {{handler: 'hands:work', {settings}}}\n"


@pytest.fixture
def client(written):
    with Client(written.url, name="test") as client:
        yield client


def test_a_new_time_limit_holds_for_the_next_job(written):
    run = written.up(one("timeout: 30s"))
    (long,) = written.enqueue("a", {"seconds": 1.0})
    written.sees("begin")
    assert written.reload(one("timeout: 300ms")).returncode == 0
    (short,) = written.enqueue("a", {"seconds": 30})
    written.eventually(lambda: written.dead("a").get(short) == "TimeoutError", "the new limit cuts it")
    written.sees("end")
    assert written.completed("a") == {long}
    assert run.stop() == 0


def test_a_raised_max_active_is_used_at_once_by_workers_that_wait(written):
    run = written.up(one("max_active: 1, concurrency: 4"))
    written.enqueue("a", *[{"seconds": 20}] * 4)
    written.sees("begin")
    assert written.reload(one("max_active: 4, concurrency: 4")).returncode == 0
    written.sees("begin", 4, seconds=1.0)
    run.signal(signal.SIGKILL)


def test_less_retention_trims_what_is_kept(written):
    run = written.up(one("retention: {completed: {count: 100}}"))
    written.enqueue("a", *[{}] * 30)
    written.eventually(lambda: len(written.completed("a")) == 30, "all are kept")
    assert written.reload(one("retention: {completed: {count: 4}}")).returncode == 0
    written.eventually(lambda: len(written.completed("a")) == 4, "the others are trimmed")
    assert run.stop() == 0


def test_a_queue_that_the_file_pauses_stands_still_until_the_file_lets_it_go_on(written):
    run = written.up(one("concurrency: 1"))
    assert written.reload(one("concurrency: 1, paused: true")).returncode == 0
    written.enqueue("a", {})
    assert written.events("begin") == []
    assert written.reload(one("concurrency: 1")).returncode == 0
    written.sees("end")
    assert run.stop() == 0


def test_deduplication_reaches_clients_that_are_open(written, client):
    run = written.up(one("paused: true"))
    assert [client.enqueue("a", "job", {"n": 1}).status for _ in range(2)] == ["created", "created"]
    assert written.reload(one('paused: true, deduplication: {key: "{data.n}"}')).returncode == 0
    assert [client.enqueue("a", "job", {"n": 1}).status for _ in range(2)] == ["created", "duplicate"]
    assert run.stop() == 0


def test_priority_and_size_limit_reach_clients_that_are_open(written, client):
    run = written.up(one("paused: true"))
    client.enqueue("a", "job", {"n": 1})
    assert written.reload(one("paused: true, priority: 7, max_payload: 100B")).returncode == 0
    assert client.job("a", client.enqueue("a", "job", {"n": 2}).id).priority == 7
    with pytest.raises(PayloadTooLarge):
        client.enqueue("a", "job", {"n": "x" * 200})
    assert run.stop() == 0


def test_the_content_of_a_schema_is_watched_and_reaches_clients_that_are_open(written, client):
    schema = written.root / "s.json"
    schema.write_text(json.dumps({"type": "object"}))
    text = "queues:\n  a: {jobs: {job: {handler: 'hands:work', schema: s.json}}, paused: true}\n"
    run = written.up(text)
    client.enqueue("a", "job", {"n": "text"})
    schema.write_text(json.dumps({"properties": {"n": {"type": "integer"}}}))
    run.says("queues.a.jobs.job.schema")
    with pytest.raises(InvalidPayload):
        client.enqueue("a", "job", {"n": "text"})
    assert run.stop() == 0


def test_an_included_file_and_a_file_that_is_added_are_watched(written):
    queues = written.root / "queues"
    queues.mkdir()
    (queues / "a.yaml").write_text(one("concurrency: 1"))
    run = written.up("include: [queues/*.yaml]\n")
    (queues / "a.yaml").write_text(one("concurrency: 9"))
    written.eventually(lambda: written.policy("a").concurrency == 9, "the included file is watched")
    (queues / "b.yaml").write_text("queues: {b: {handler: 'hands:work'}}\n")
    run.says("+ queues.b")
    run.says("b runs")
    (queues / "b.yaml").unlink()
    run.says("- queues.b")
    assert run.stop() == 0
