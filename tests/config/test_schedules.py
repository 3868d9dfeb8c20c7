"""Schedules in the file: what they become, and every mistake that would keep one from firing."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from pipeline.config.load import Loaded
from pipeline.config.schedules import MOST
from pipeline.config.show import effective
from pipeline.plan import Plan, SchedulePlan
from pipeline.schedule import moment

Load = Callable[..., Loaded]
QUEUES = """\
name: shop
queues:
  emails: {handler: "m:f", max_payload: 1KiB}
  payments:
    jobs:
      capture: {handler: "m:f", deduplication: {key: "{data.charge}"}}
      remind: {handler: "m:f", deduplication: {key: "{data.charge}", mode: debounce, ttl: 1m}}
      refund: {handler: "m:f", schema: refund.json}
schedules:
"""
REFUND = json.dumps({"type": "object", "required": ["charge"], "properties": {"charge": {"type": "string"}}})


@pytest.fixture
def found(project: Load) -> Callable[[str], list[tuple[str, str, str]]]:
    """The findings of a schedule: code, message and what stands at their place."""

    def of(schedule: str) -> list[tuple[str, str, str]]:
        text = f"{QUEUES}  one: {{{schedule}}}\n"
        loaded = project({"configs/shop.yaml": text, "refund.json": REFUND})
        lines = text.splitlines()
        return [
            (one.code, one.message, lines[one.line - 1][one.column - 1 : one.end - 1])
            for one in loaded.findings
        ]

    return of


def test_a_schedule_becomes_plain_values(plan: Callable[..., Plan]) -> None:
    text = """  nightly:
    queue: emails
    job: digest
    cron: "15 2 * * *"
    timezone: Europe/Paris
    data: {mode: full, x-only: null, list: [1, 2.5, {deep: true}], who: "${WHO}"}
    start: 2030-06-01T08:00
    end: 2031-06-01T08:00:00+00:00
    limit: 5
    overlap: skip
    catch_up: all
    jitter: 30s
  quick: {queue: emails, job: tidy, every: 250ms}
"""
    schedules = plan(
        QUEUES.replace('      refund: {handler: "m:f", schema: refund.json}\n', "") + text, {"WHO": "ann"}
    ).schedules
    assert schedules["nightly"] == SchedulePlan(
        queue="emails",
        job="digest",
        cron="15 2 * * *",
        timezone="Europe/Paris",
        data={"mode": "full", "x-only": None, "list": [1, 2.5, {"deep": True}], "who": "ann"},
        start=moment("2030-06-01T06:00Z", "UTC"),
        end=moment("2031-06-01T08:00Z", "UTC"),
        limit=5,
        overlap="skip",
        catch_up="all",
        jitter=30_000,
    )
    assert schedules["quick"] == SchedulePlan(queue="emails", job="tidy", every=250)
    assert type(schedules["nightly"].data["who"]) is str


@pytest.mark.parametrize(
    ("schedule", "code", "message", "place"),
    [
        ('queue: emails, job: a, cron: "0 0 30 2 *"', "P332", "there is no such day", '"0 0 30 2 *"'),
        ('queue: emails, job: a, cron: "0 0 1 1 *", start: 2030-02-01, end: 2030-03-01', "P332", "no time of it lies", "2030-03-01"),
        ("queue: emails, job: a, every: 1h, start: 2030-02-01, end: 2030-01-01", "P332", "no time of it lies", "2030-01-01"),
        ('queue: emails, job: a, cron: "0 0 0 1 1 *"', "P121", "6 fields instead of 5", '"0 0 0 1 1 *"'),
        ('queue: emails, job: a, cron: "0 25 * * *"', "P121", "the hour cannot be 25", '"0 25 * * *"'),
        ('queue: emails, job: a, cron: "@often"', "P121", "there are @hourly", '"@often"'),
        ('queue: emails, job: a, cron: "@daily", timezone: Paris', "P122", "no time zone 'Paris'", "Paris"),
        ('queue: emails, job: a, cron: "@daily", timezone: ../etc', "P122", "no time zone", "../etc"),
        ('queue: emails, job: a, cron: "@daily", timezone: Europe', "P122", "no time zone", "Europe"),
        ("queue: emails, job: a, every: 1h, start: tomorrow", "P123", "no date or time", "tomorrow"),
        ("queue: emails, job: a, every: 1h, end: 1969-06-01", "P123", "from 1970 on", "1969-06-01"),
        ("queue: emails, job: a, every: 10ms", "P107", "between 100ms", "10ms"),
        ("queue: emails, job: a", "P331", "needs `cron` or `every`", "one"),
        ('queue: emails, job: a, every: 5m, cron: "@daily"', "P331", "not both", "every"),
        ("queue: emails, job: a, every: 5m, timezone: Europe/Paris", "P333", "the same in every time zone", "timezone"),
        ("queue: emials, job: a, every: 5m", "P221", "no queue 'emials'", "emials"),
        ("queue: payments, job: captur, every: 5m", "P221", "no job 'captur'", "captur"),
        ("queue: payments, job: capture, every: 5m", "P334", "{data.charge} is missing", "one"),
        ("queue: payments, job: capture, every: 5m, data: {charge: [1]}", "P334", "not a string", "{charge: [1]}"),
        ("queue: payments, job: refund, every: 5m, data: {charge: 1}", "P334", "data.charge: this number does not fit", "{charge: 1}"),
        ("queue: payments, job: remind, every: 5m, data: {charge: c}, jitter: 5s", "P334", "is debounced", "jitter"),
        ("queue: payments, job: capture, every: 5m, data: {charge: c}, overlap: replace", "P335", "until_done", "replace"),
        (f"queue: emails, job: a, every: 5m, data: [{'x' * 2000}]", "P334", "2,004 bytes", f"[{'x' * 2000}]"),
        ("queue: emails, job: a, every: 5m, data: .nan", "P103", "JSON has no 'nan'", ".nan"),
        ("queue: emails, job: a, every: 5m, overlap: replaced", "P104", "not possible here", "replaced"),
        ("job: a, every: 5m", "P102", "'queue' is missing", "one"),
        ("queue: emails, job: a, evry: 5m", "P101", "unknown key 'evry'", "evry"),
        ("queue: emails, job: a, every: 1m, end: 2020-01-01", "P431", "has ended", "2020-01-01"),
    ],
)  # fmt: skip
def test_a_mistake_is_found_at_its_place(
    found: Callable[[str], list[tuple[str, str, str]]], schedule: str, code: str, message: str, place: str
) -> None:
    assert [(one[0], message in one[1], one[2]) for one in found(schedule)][:1] == [(code, True, place)]


@pytest.mark.parametrize(
    "schedule",
    [
        "queue: emails, job: a, every: 5m",
        "queue: emails, job: a, every: 5m, timezone: Europe/Paris, start: 2030-01-01",
        'queue: payments, job: capture, cron: "@hourly", data: {charge: c}, overlap: skip, jitter: 1m',
        'queue: payments, job: refund, cron: "0 9 L * *", data: {charge: c}',
        'queue: emails, job: a, cron: "0 0 29 2 *", timezone: America/New_York',
    ],
)
def test_what_can_fire_has_no_finding(
    found: Callable[[str], list[tuple[str, str, str]]], schedule: str
) -> None:
    assert found(schedule) == []


def test_included_files_hold_schedules_and_profiles_lie_over_them(project: Load) -> None:
    files = {
        "configs/shop.yaml": "name: shop\ninclude: [more.yaml]\nqueues: {emails: {handler: 'm:f'}}\n"
        "profiles: {dev: {schedules: {tidy: {every: 1m}}}}\n",
        "configs/more.yaml": "schedules: {tidy: {queue: emails, job: tidy, every: 1h}}\n",
    }
    loaded = project(files)
    assert loaded.plan is not None
    assert loaded.plan.schedules["tidy"].every == 3_600_000
    dev = project(files, profile="dev")
    assert dev.plan is not None
    assert dev.plan.schedules["tidy"].every == 60_000
    assert dev.plan.hash != loaded.plan.hash


def test_there_are_at_most_so_many(loaded: Load) -> None:
    lines = [f"  s{n}: {{queue: emails, job: a, every: 1h}}" for n in range(MOST + 1)]
    text = "name: shop\nqueues: {emails: {handler: 'm:f'}}\nschedules:\n" + "\n".join(lines)
    assert [one.code for one in loaded(text).findings] == ["P336"]


def test_the_effective_config_means_the_same(loaded: Load) -> None:
    text = QUEUES.replace('      refund: {handler: "m:f", schema: refund.json}\n', "")
    text += (
        '  one: {queue: emails, job: a, cron: "15 2 * * *", data: {a: "$5", b: [null, {c: 1}]}, jitter: 5s}\n'
    )
    first = loaded(text)
    shown = effective(first)
    assert first.plan is not None
    again = loaded(shown).plan
    assert again is not None
    assert again.schedules == first.plan.schedules
    assert "data: {" in effective(first, origin=True)
    assert "built-in" not in next(
        line for line in effective(first, origin=True).splitlines() if "data:" in line
    )
