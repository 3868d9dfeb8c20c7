"""A project on a cluster: `pipeline run`, commands and the API with queues on three nodes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from faults.topology.cluster import Cluster
from pipeline import Client
from pipeline.store import keys
from tests.lifecycle.conftest import Run, Written, make
from tests.lifecycle.test_api import TOKEN, ask
from tests.lifecycle.test_web import ANYWHERE, address
from tests.topology.conftest import emptied

STEPS = """
async def total(job):
    return sorted((await job.needs()).values())

async def number(job):
    return job.data["n"]
"""
FILE = """
queues:
  {0}: {{handler: "hands:work"}}
  {1}: {{handler: "hands:fail", dead_letter: {{queue: "{2}"}}}}
  {2}: {{handler: null}}
  {3}: {{handler: "steps:number"}}
  {4}: {{handler: "steps:number"}}
  {5}: {{handler: "steps:total"}}
flows:
  sum:
    steps:
      one: {{queue: "{3}", job: number, data: {{n: 1}}}}
      two: {{queue: "{4}", job: number, data: {{n: 2}}}}
      all: {{queue: "{5}", job: total, needs: [one, two]}}
"""


class Town(Written):
    """Six queues on three nodes, and their supervisor."""

    cluster: Cluster
    names: list[str]
    supervisor: Run

    def said(self, *arguments: str) -> Any:
        """The JSON that a command prints; it must end with 0."""
        done = self.pipeline(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def town(_cluster: Cluster) -> Iterator[Town]:
    names = emptied(_cluster).names(6, "test")
    project = make(_cluster.url, Town)
    made = next(project)
    made.cluster, made.names = _cluster, names
    (made.root / "steps.py").write_text(STEPS)
    admin = ANYWHERE.replace("}", ", tokens: {ci: {role: admin, secret: {secret: ci}}}}")
    (made.root / "ci").write_text(TOKEN)
    made.supervisor = made.up(f"{admin}secrets: {{ci: {{file: ci}}}}\n{FILE.format(*names)}")
    yield made
    assert made.supervisor.stop() == 0
    next(project, None)


@pytest.fixture
def client(town: Town) -> Iterator[Client]:
    with Client(town.url, "test") as client:
        yield client


def test_queues_lie_on_three_nodes(town: Town) -> None:
    owners = [town.cluster.owner(keys.base("test", name)).port for name in town.names]
    assert len({*owners[:3]}) == len({*owners[3:]}) == 3
    for name, port in zip(town.names, owners, strict=True):
        node = next(node for node in town.cluster.nodes if node.port == port)
        assert node.call("EXISTS", keys.meta(keys.base("test", name))) == 1


def test_jobs_of_every_queue_run_and_status_tells_of_all(town: Town, client: Client) -> None:
    for name in (town.names[0], town.names[3], town.names[4]):
        client.enqueue_many(name, [("job", {"n": n}) for n in range(20)])

    def shown() -> bool:
        queues = town.said("status")["queues"]
        return all(
            queues[name]["completed_total"] >= 20 for name in (town.names[0], town.names[3], town.names[4])
        )

    town.eventually(shown, "all are completed")
    state = town.said("status")
    assert {*state["queues"]} == {*town.names}
    assert (state["in_sync"], state["broker"]["ok"]) == (True, True)


def test_a_flow_goes_over_queues_of_three_nodes(town: Town, client: Client) -> None:
    started = client.start_flow("sum", {})
    view = town.eventually(lambda: ended(client, started.id), "the flow ends")
    assert view.state == "completed"
    [last] = view.steps[-1].ids
    assert client.job(town.names[5], last).result == [1, 2]


def ended(client: Client, id: str) -> Any:
    view = client.flow(id)
    return view if view.finished_at else None


def test_a_dead_job_has_its_copy_on_another_node_and_is_redriven_where_it_was(
    town: Town, client: Client
) -> None:
    failing, morgue = town.names[1:3]
    id = client.enqueue(failing, "job", {"n": 7}).id
    town.eventually(lambda: town.dead(failing).get(id), "it is dead")
    assert [one["id"] for one in town.said("jobs", "list", morgue)] == [f"{failing}:{id}"]
    assert [one["id"] for one in town.said("dead", "list", failing)] == [id]
    assert town.pipeline("dead", "redrive", failing, id, "--yes").returncode == 0
    town.eventually(lambda: town.stats(failing)["dead"] == 2, "it died again")


def test_a_queue_is_paused_and_resumed_where_it_is(town: Town, client: Client) -> None:
    name = town.names[0]
    assert town.pipeline("pause", name).returncode == 0
    id = client.enqueue(name, "job", {}).id
    assert town.said("status")["queues"][name]["paused"]
    assert town.said("jobs", "show", name, id)["state"] == "waiting"
    assert town.pipeline("resume", name).returncode == 0
    town.eventually(lambda: client.job(name, id).state == "completed", "it runs")


def test_doctor_looks_at_every_primary(town: Town) -> None:
    for node in town.cluster.primaries:
        node.call("CONFIG", "SET", "appendfsync", "no")
        checks = json.loads(town.pipeline("doctor", "--json").stdout)["checks"]
        node.call("CONFIG", "SET", "appendfsync", "everysec")
        [check] = [one for one in checks if one["name"] == "fsync"]
        assert (check["verdict"], check["found"]) == ("WEAK", f"127.0.0.1:{node.port}: appendfsync no")


def test_the_api_shows_and_takes_jobs_of_every_node(town: Town) -> None:
    at = address(town)
    for name in town.names:
        assert ask(at, f"queues/{name}")["queue"]["name"] == name
    put = ask(at, f"queues/{town.names[4]}/jobs", {"job": "number", "data": {"n": 5}})
    town.eventually(
        lambda: ask(at, f"queues/{town.names[4]}/jobs/{put['id']}")["job"]["state"] == "completed",
        "it has run",
    )
    assert {one["name"] for one in ask(at, "overview")["queues"]} == {*town.names}
