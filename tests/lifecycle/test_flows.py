"""Flows over queues with processes of their own: results go from one to the other, and whoever dies loses nothing."""

from __future__ import annotations

import os
import signal
from collections import Counter

import pytest

from pipeline import Client
from tests.lifecycle.conftest import eventually

# The tests kill the workers of `wide`, and chance may hit one job again and again.
FILE = """
queues:
  wide: {handler: 'hands:work', processes: 2, concurrency: 5, max_crashes: 100}
  sums: {handler: 'steps:total'}
  plain: {handler: 'steps:plain'}
  slow: {handler: 'hands:work'}
flows:
  spread:
    steps:
      begin: {queue: wide, job: work, data: {}}
      many: {queue: wide, job: work, needs: [begin], for_each: "{data.items}", data: {seconds: "{item}"}}
      sum: {queue: sums, job: total, needs: [many]}
      same: {queue: plain, job: total, needs: [many], data: {}}
      all: {queue: sums, job: total, needs: [sum, same]}
  slow:
    steps:
      a: {queue: slow, job: work, data: {seconds: 60}}
      b: {queue: slow, job: work, needs: [a]}
  poison:
    steps:
      killer: {queue: sums, job: kill}
      after: {queue: plain, job: total, needs: [killer]}
      sorry: {queue: plain, job: why, on_failure: true}
"""
STEPS = """
import os

async def total(job):
    if job.name == "kill":
        os._exit(9)
    return {name: len(value) if isinstance(value, list) else value for name, value in (await job.needs()).items()}

def plain(job):
    if job.name == "why":
        return job.failures()
    return {name: len(value) for name, value in job.needs().items()}
"""


@pytest.fixture
def flows(written):
    (written.root / "steps.py").write_text(STEPS)
    run = written.up(FILE)
    with Client(written.url, "test") as client:
        yield written, client
    assert run.stop() == 0
    assert "Traceback" not in run.output


def ends(client, id, seconds=20):
    """The flow, once it has ended."""

    def look():
        flow = client.flow(id)
        return flow if flow.finished_at is not None else None

    return eventually(look, f"{id} has ended", seconds)


def result(client, queue, id):
    # A flow hears of an end a moment before the job is settled.
    return eventually(lambda: client.job(queue, id).result, f"{id} is settled")


def test_results_reach_the_steps_that_need_them_in_every_kind_of_handler(flows):
    _, client = flows
    id = client.start_flow("spread", {"items": [0] * 12}, id="one").id
    flow = ends(client, id)
    assert flow.state == "completed", flow
    assert result(client, "sums", f"{id}:all") == {"sum": {"many": 12}, "same": {"many": 12}}


def test_workers_that_are_killed_during_a_fan_out_lose_no_step_and_repeat_none(flows):
    written, client = flows
    count = 200
    id = client.start_flow("spread", {"items": [0.005] * count}, id="two").id
    for so_far in range(20, 141, 20):
        written.sees("end", so_far)
        os.kill(written.events("begin")[-1].pid, signal.SIGKILL)
    flow = ends(client, id)
    assert flow.state == "completed", flow
    assert result(client, "sums", f"{id}:sum") == {"many": count}
    # What had ended, and was told, does not run again: only what a killed worker ran, and had not told.
    times = Counter(event.id for event in written.events("end"))
    assert times.keys() == {f"{id}:begin", *(f"{id}:many:{n}" for n in range(count))}
    totals = written.stats("wide")
    assert (totals["completed"], totals["own"]) == (count + 1, count + 1)
    assert totals.get("duplicates", 0) == 0


def test_a_flow_that_is_cancelled_stops_its_jobs_and_can_go_on(flows):
    written, client = flows
    id = client.start_flow("slow", {}).id
    written.sees("begin")
    assert client.cancel_flow(id) == "running"
    flow = ends(client, id)
    assert [step.state for step in flow.steps] == ["cancelled", "skipped"]
    eventually(lambda: client.job("slow", f"{id}:a").state == "cancelled", "its job is cancelled")
    client.retry_flow(id)
    written.sees("begin", 2)
    assert client.cancel_flow(id) == "running"
    assert ends(client, id).state == "cancelled"


def test_a_job_that_dies_with_its_process_fails_its_flow(flows):
    _, client = flows
    id = client.start_flow("poison", {}).id
    flow = ends(client, id, 30)
    assert flow.state == "failed"
    assert flow.steps[0].error.type == "WorkerCrashed"
    assert result(client, "plain", f"{id}:sorry")[0]["step"] == "killer"
