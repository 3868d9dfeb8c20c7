"""Who may scrape, and that many who do cost as much as one."""

from __future__ import annotations

import asyncio

from pipeline.passwords import hashed
from pipeline.plan import HttpPlan, TokenPlan, UserPlan
from pipeline.status.measures import measure
from pipeline.web.exposition import OPEN, PLAIN

TOKEN = "0123456789abcdef-prometheus"
HTTP = HttpPlan(
    users={"alice": UserPlan("operator", hashed("open sesame", 14))},
    tokens={"prometheus": TokenPlan("viewer", "prometheus", env="SCRAPE")},
)


async def test_this_host_may_scrape_and_whoever_a_proxy_brings_needs_a_role(site, monkeypatch) -> None:
    monkeypatch.setenv("SCRAPE", TOKEN)
    here = await site(HTTP)
    assert (await here.ask("GET", "/metrics")).status == 200
    assert (await here.ask("POST", "/metrics")).status == 401
    for header in ("forwarded", "x-forwarded-for"):
        assert (await here.ask("GET", "/metrics", **{header: "192.0.2.7"})).status == 401
    brought = {"x-forwarded-for": "192.0.2.7", "authorization": f"Bearer {TOKEN}"}
    assert (await here.ask("GET", "/metrics", **brought)).status == 200
    assert (await here.ask("GET", "/api/v1/audit")).status == 401, "and to nothing else"


async def test_the_format_is_the_one_that_is_asked_for(site) -> None:
    here = await site(HTTP)
    plain = await here.ask("GET", "/metrics")
    assert plain.headers["content-type"] == PLAIN
    opened = await here.ask("GET", "/metrics", accept="application/openmetrics-text; version=1.0.0")
    assert opened.headers["content-type"] == OPEN
    assert opened.body.endswith(b"\n# EOF\n")


async def test_many_scrapes_within_a_second_look_at_the_broker_once(site, monkeypatch) -> None:
    here = await site(HTTP)
    looks = []

    async def counted(*arguments):
        looks.append(arguments)
        return await measure(*arguments)

    monkeypatch.setattr("pipeline.web.metrics.measure", counted)
    answers = await asyncio.gather(*(here.ask("GET", "/metrics") for _ in range(20)))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == len(looks) <= 2


async def test_a_broker_that_is_away_is_told_and_no_error(site) -> None:
    here = await site(HTTP)
    connection = here.shop.connection
    here._line.cancel()  # which would connect anew at once
    connection.close()
    answer = await here.ask("GET", "/metrics")
    assert answer.status == 200
    assert b'pipeline_broker_up{project="test"} 0\n' in answer.body
