"""/metrics of a shop that runs: what it tells is what happened, and all that `deploy/` asks for is there."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser as promql
import yaml
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read

from pipeline.client import Client
from tests.lifecycle.conftest import Written, eventually
from tests.lifecycle.test_web import ANYWHERE, address

DEPLOY = Path(__file__).parents[2] / "deploy"
SHOP = """
alerts: {oncall: {command: ["true"]}}
queues:
  a: {jobs: {work: {handler: 'hands:work'}, fail: {handler: 'hands:fail'}}}
  b: {handler: 'hands:work', dead_letter: {alert: oncall}}
flows: {round: {steps: {only: {queue: a, job: work, data: {}}}}}
webhooks: {hook: {path: /hook, verify: {type: none, allow_unsigned: true}, queue: a, job: work}}
"""
OPEN = "application/openmetrics-text; version=1.0.0"
Samples = dict[str, list[tuple[dict[str, str], float]]]


def scrape(at: str) -> tuple[str, Samples]:
    """The content type, and by name what was measured."""
    connection = http.client.HTTPConnection(at, timeout=10)
    try:
        connection.request("GET", "/metrics", headers={"Accept": OPEN})
        answer = connection.getresponse()
        assert answer.status == 200
        found: Samples = {}
        for family in read(answer.read().decode()):
            for sample in family.samples:
                found.setdefault(sample.name, []).append((dict(sample.labels), sample.value))
        return answer.getheader("content-type") or "", found
    finally:
        connection.close()


def value(at: str, name: str, **labels: str) -> float:
    """What the only sample with these labels says; 0 when there is none."""
    found = [number for own, number in scrape(at)[1].get(name, []) if labels.items() <= own.items()]
    assert len(found) <= 1, found
    return found[0] if found else 0.0


def comes_to(at: str, expected: float, name: str, **labels: str) -> None:
    eventually(lambda: value(at, name, **labels) == expected, f"{name} {labels} is {expected}")


# --- what deploy/ asks for -----------------------------------------------------------------------------


def queries() -> Iterator[str]:
    """Every query of the rules and of the dashboard, with Grafana's variables filled in."""
    for group in yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text())["groups"]:
        for rule in group["rules"]:
            yield rule["expr"]
    dashboard = json.loads((DEPLOY / "grafana" / "pipeline.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield filled(target["expr"])
    for annotation in dashboard["annotations"]["list"]:
        yield filled(annotation["expr"])
    for variable in dashboard["templating"]["list"]:
        selector = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["definition"])
        assert selector, variable["definition"]
        yield f"sum by ({selector[2]}) ({filled(selector[1])})"


def filled(query: str) -> str:
    return query.replace("$__rate_interval", "5m")


def asked(query: str) -> tuple[list[Any], set[str]]:
    """The selectors of a query, and the labels that it groups or matches by."""
    selectors: list[Any] = []
    labels: set[str] = set()

    def visit(node: Any) -> None:
        if isinstance(node, promql.VectorSelector):
            selectors.append(node)
        modifier = getattr(node, "modifier", None)
        for holder in (modifier, getattr(modifier, "matching", None)):
            labels.update(getattr(holder, "labels", ()))

    promql.walk(promql.parse(query), visit)
    return selectors, labels


def test_every_name_and_label_that_deploy_asks_for_is_exposed(written: Written) -> None:
    run = written.up(ANYWHERE + SHOP)
    at = address(written)
    with Client(written.url, "test") as client:
        client.enqueue("a", "work", {})
        client.start_flow("round", {})
    comes_to(at, 2, "pipeline_jobs_ended_total", queue="a", state="completed")
    comes_to(at, 1, "pipeline_flows_ended_total", flow="round", state="completed")
    _, exposed = scrape(at)
    known = {name: {label for own, _ in rows for label in own} for name, rows in exposed.items()}
    seen = set()
    for query in queries():
        selectors, grouped = asked(query)
        assert selectors, query
        for selector in selectors:
            name = selector.name
            seen.add(name)
            assert name in known, f"{name} of {query} is not exposed"
            for matcher in selector.matchers.matchers:
                assert matcher.name in known[name], f"{name} has no label {matcher.name}: {query}"
                if matcher.name in ("state", "result", "reason") and matcher.op == promql.MatchOp.Equal:
                    told = {own[matcher.name] for own, _ in exposed[name]}
                    assert matcher.value in told, f"no {name} is {matcher.value}: {query}"
            assert grouped <= known[name] | {"le"}, f"{name} lacks a label of {query}"
    assert len(seen) > 20, "the queries were read"
    assert run.stop() == 0


def test_every_rule_tells_what_it_means_and_what_to_do() -> None:
    groups = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text())["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    names = [rule["alert"] for rule in rules]
    assert len(names) == len(set(names))
    for rule in rules:
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert {"summary", "description"} == rule["annotations"].keys()


def test_the_dashboard_asks_for_its_data_source_and_its_panels_do_not_overlap() -> None:
    dashboard = json.loads((DEPLOY / "grafana" / "pipeline.json").read_text())
    assert [one["name"] for one in dashboard["__inputs"]] == ["DS_PROMETHEUS"]
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
        if panel["type"] != "row":
            assert panel["datasource"]["uid"] == "${DS_PROMETHEUS}"
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


# --- what it tells -------------------------------------------------------------------------------------


def test_what_is_told_is_right_after_deaths_reloads_and_restarts(written: Written) -> None:
    run = written.up(ANYWHERE + SHOP)
    at = address(written)
    content, _ = scrape(at)
    assert content.startswith(OPEN)
    with Client(written.url, "test") as client:
        client.enqueue_many("a", [("work", {})] * 3)
        client.enqueue("a", "fail", {})
        client.enqueue("b", "anything", {})
    comes_to(at, 3, "pipeline_jobs_processed_total", queue="a", job="work", result="completed")
    comes_to(at, 1, "pipeline_jobs_processed_total", queue="a", job="fail", result="dead")
    comes_to(at, 1, "pipeline_jobs_processed_total", queue="b", job="anything", result="completed")
    assert value(at, "pipeline_jobs_ended_total", queue="a", state="dead") == 1
    assert value(at, "pipeline_job_duration_seconds_count", queue="a") == 4
    assert value(at, "pipeline_job_duration_seconds_sum", queue="a") > 0
    comes_to(at, 1, "pipeline_workers", queue="a", state="idle")
    assert value(at, "pipeline_pools", queue="a", state="running") == 1

    worker = next(one.pid for one in written.records()[0].workers if one.name == "a.1")
    written.kill(worker)
    comes_to(at, 1, "pipeline_worker_restarts_total", pool="a", reason="died")
    assert written.reload(ANYWHERE + SHOP.replace("a: {jobs", "a: {concurrency: 3, jobs")).returncode == 0
    comes_to(at, 1, "pipeline_config_reloads_total", result="applied")
    comes_to(at, 2, "pipeline_config_generation")
    assert written.reload(ANYWHERE + SHOP.replace("a: {jobs", "a: {concurency: 3, jobs")).returncode == 1
    comes_to(at, 0, "pipeline_config_last_reload_successful")
    # The watcher may have tried, too.
    eventually(lambda: value(at, "pipeline_config_reloads_total", result="failed") >= 1, "it failed")
    assert run.stop() == 0

    written.up(ANYWHERE + SHOP)
    at = address(written)
    comes_to(at, 1, "pipeline_config_last_reload_successful")
    assert value(at, "pipeline_jobs_ended_total", queue="a", state="completed") == 3
    assert value(at, "pipeline_worker_restarts_total", pool="a", reason="died") == 1
    assert value(at, "pipeline_config_reloads_total", result="applied") == 1
