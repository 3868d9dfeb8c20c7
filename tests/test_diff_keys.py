"""Each key of the file: how a change of its value is told, and in which class."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from pipeline.config.keys import classes, keys
from pipeline.diff import class_of, shown
from tests.plans import BASE, NOTHING, edited, lines, plan_of

HASH = "scrypt:15:8:1:bvsYPjt9X6Ls1nr1wpPPNQ:AKY9YHaAgoHUKBQIpDYZYZT8RPx0oH_8bapGhgYRwCg"
OTHER_HASH = HASH.replace("AKY9", "BKY9")
FIXED = {"attempts": 3, "backoff": {"type": "fixed", "delay": "2s"}}
FLOW = {"steps": {"begin": {"queue": "emails", "job": "x"}, "pay": {"queue": "emails", "job": "capture"}}}
HOOK = {"path": "/a", "queue": "a", "job": "x", "verify": {"type": "none", "allow_unsigned": True}}
HMAC = {"type": "hmac", "secret": {"secret": "s"}, "header": "X-A"}
# The value of one key, before and after, and the lines that tell it. NOTHING: the file does not have the key.
ELSEWHERE = [
    ("name", "shop", "mart", ["~ name  shop -> mart  (restart)"]),
    ("broker.url", "redis://queue", "redis://other", ["~ broker.url  redis://queue -> redis://other  (restart)"]),
    ("broker.durability", NOTHING, "fsync", ["~ broker.durability  everysec -> fsync  (restart)"]),
    ("broker.durability", "fsync", {"replicas": 1}, ["~ broker.durability  fsync -> replicas: 1  (restart)"]),
    ("broker.durability.replicas", 1, 2, ["~ broker.durability  replicas: 1 -> replicas: 2  (restart)"]),
    ("broker.allow_eviction", NOTHING, True, ["~ broker.allow_eviction  false -> true  (restart)"]),
    ("setup", NOTHING, "hands:boot", ["~ setup  none -> hands:boot  (rolling)"]),
    ("supervisor.stop_timeout", "40s", "90s", ["~ supervisor.stop_timeout  40s -> 1m30s  (hot)"]),
    ("supervisor.lease", NOTHING, "20s", ["~ supervisor.lease  15s -> 20s  (rolling)"]),
    ("supervisor.import_timeout", NOTHING, "5s", ["~ supervisor.import_timeout  10s -> 5s  (hot)"]),
    ("supervisor.restart.delay", NOTHING, "2s", ["~ supervisor.restart.delay  1s -> 2s  (hot)"]),
    ("supervisor.restart.max", NOTHING, "2m", ["~ supervisor.restart.max  1m -> 2m  (hot)"]),
    ("supervisor.restart.give_up_after", NOTHING, 6, ["~ supervisor.restart.give_up_after  5 -> 6  (hot)"]),
    ("supervisor.reload.watch", NOTHING, False, ["~ supervisor.reload.watch  true -> false  (hot)"]),
    ("supervisor.reload.interval", NOTHING, "5s", ["~ supervisor.reload.interval  2s -> 5s  (hot)"]),
    ("http.listen", NOTHING, "127.0.0.1:80", ["~ http.listen  127.0.0.1:9400 -> 127.0.0.1:80  (restart)"]),
    ("http.ingress", NOTHING, "127.0.0.1:81", ["~ http.ingress  127.0.0.1:9401 -> 127.0.0.1:81  (restart)"]),
    ("http.path", NOTHING, "/queues", ["~ http.path  none -> /queues  (restart)"]),
    ("http.hosts", NOTHING, ["q.example.com"], ["~ http.hosts  none -> [q.example.com]  (restart)"]),
    ("http.auth", NOTHING, "none", ["~ http.auth  required -> none  (restart)"]),
    ("http.tls", NOTHING, {"certificate": "a.pem", "key": "b.pem"},
     ["~ http.tls.certificate  none -> a.pem  (restart)", "~ http.tls.key  none -> b.pem  (restart)"]),
    ("http.users", NOTHING, {"ann": {"role": "admin", "password": HASH}},
     ["~ http.users.ann.role  none -> admin  (restart)", "~ http.users.ann.password  none -> a hash  (restart)"]),
    ("http.users.ann.password", HASH, OTHER_HASH, ["~ http.users.ann.password  a hash -> another one  (restart)"]),
    ("http.tokens.ci.role", NOTHING, "admin", ["~ http.tokens.ci.role  viewer -> admin  (restart)"]),
    ("http.proxy", NOTHING, {"header": "X-User", "from": ["10.0.0.0/8"], "role": "operator"},
     ["~ http.proxy.header  none -> x-user  (restart)", "~ http.proxy.from  none -> [10.0.0.0/8]  (restart)",
      "~ http.proxy.role  none -> operator  (restart)"]),
    ("alerts.oncall.url", "https://a", "https://b", ["~ alerts.oncall.url  https://a -> https://b  (hot)"]),
    ("alerts.oncall.format", NOTHING, "slack", ["~ alerts.oncall.format  json -> slack  (hot)"]),
    ("alerts.oncall.throttle", NOTHING, "1h", ["~ alerts.oncall.throttle  5m -> 1h  (hot)"]),
    ("alerts.oncall.events", NOTHING, ["fatal"], ["~ alerts.oncall.events  [fatal, rejected] -> [fatal]  (hot)"]),
    ("alerts.oncall.allow_private", NOTHING, True, ["~ alerts.oncall.allow_private  false -> true  (hot)"]),
    ("alerts.pager.command", ["page"], ["page", "now"], ["~ alerts.pager.command  [page] -> [page, now]  (hot)"]),
    ("pools.small.processes", 1, 3, ["~ pools.small.processes  1 -> 3  (hot)"]),
    ("pools.small.recycle.max_jobs", NOTHING, 9, ["~ pools.small.recycle.max_jobs  none -> 9  (rolling)"]),
    ("pools.small.recycle.max_memory", NOTHING, "1GiB", ["~ pools.small.recycle.max_memory  none -> 1GiB  (rolling)"]),
    ("pools.small.recycle.max_age", NOTHING, "24h", ["~ pools.small.recycle.max_age  none -> 1d  (rolling)"]),
    ("queues.emails.handler", "hands:send", "hands:post", ["~ queues.emails.handler  hands:send -> hands:post  (rolling)"]),
    ("queues.emails.processes", 2, 4, ["~ queues.emails.processes  2 -> 4  (hot)"]),
    ("queues.emails.recycle.max_jobs", NOTHING, 9, ["~ queues.emails.recycle.max_jobs  none -> 9  (rolling)"]),
    ("queues.emails.recycle.max_memory", "1GiB", "512MiB", ["~ queues.emails.recycle.max_memory  1GiB -> 512MiB  (rolling)"]),
    ("queues.emails.recycle.max_age", "1h", NOTHING, ["~ queues.emails.recycle.max_age  1h -> none  (rolling)"]),
    ("queues.emails.concurrency", 50, 80, ["~ queues.emails.concurrency  50 -> 80  (hot)"]),
    ("queues.emails.max_active", NOTHING, 60, ["~ queues.emails.max_active  none -> 60  (hot)"]),
    ("queues.emails.lanes", {"key": "{data.a}", "max_active": 2, "rate_limit": {"max": 5, "per": "1s"}},
     {"key": "{data.b}", "order": "strict", "fair": True, "rate_limit": {"max": 6, "per": "2s"}},
     ["~ queues.emails.lanes.key  {data.a} -> {data.b}  (rolling)",
      "~ queues.emails.lanes.max_active  2 -> 1  (rolling)",
      "~ queues.emails.lanes.rate_limit.max  5 -> 6  (rolling)",
      "~ queues.emails.lanes.rate_limit.per  1s -> 2s  (rolling)",
      "~ queues.emails.lanes.order  none -> strict  (rolling)",
      "~ queues.emails.lanes.fair  none -> true  (rolling)"]),
    ("queues.emails.rate_limit", {"max": 50, "per": "1s"}, {"max": 80, "per": "2s"},
     ["~ queues.emails.rate_limit.max  50 -> 80  (hot)", "~ queues.emails.rate_limit.per  1s -> 2s  (hot)"]),
    ("queues.emails.wait_limit", {"max": "5m", "alert": "oncall"}, {"max": "10m", "alert": "pager"},
     ["~ queues.emails.wait_limit.max  5m -> 10m  (hot)", "~ queues.emails.wait_limit.alert  oncall -> pager  (hot)"]),
    ("queues.emails.dead_letter", {"queue": "payments"}, {"queue": "a", "alert": "oncall"},
     ["~ queues.emails.dead_letter.queue  payments -> a  (hot)", "~ queues.emails.dead_letter.alert  none -> oncall  (hot)"]),
    ("queues.emails.executor", NOTHING, "thread", ["~ queues.emails.executor  auto -> thread  (rolling)"]),
    ("queues.emails.executor", "process", {"type": "process", "max_jobs": 9},
     ["~ queues.emails.executor.max_jobs  none -> 9  (rolling)"]),
    ("queues.emails.batch", {"size": 10}, {"size": 20, "wait": "1s"},
     ["~ queues.emails.batch.size  10 -> 20  (rolling)", "~ queues.emails.batch.wait  0s -> 1s  (rolling)"]),
    ("queues.emails.paused", NOTHING, True, ["~ queues.emails.paused  false -> true  (hot)"]),
    ("queues.emails.max_crashes", NOTHING, 1, ["~ queues.emails.max_crashes  3 -> 1  (hot)"]),
    ("queues.emails.max_payload", NOTHING, "512KiB", ["~ queues.emails.max_payload  1MiB -> 512KiB  (hot)"]),
    ("queues.emails.ids.keep", NOTHING, "2d", ["~ queues.emails.ids.keep  1d -> 2d  (hot)"]),
    ("queues.emails.retention.completed.count", NOTHING, 7, ["~ queues.emails.retention.completed.count  100 -> 7  (hot)"]),
    ("queues.emails.retention.completed.age", NOTHING, None, ["~ queues.emails.retention.completed.age  1h -> none  (hot)"]),
    ("queues.emails.retention.dead.count", NOTHING, 7, ["~ queues.emails.retention.dead.count  10000 -> 7  (hot)"]),
    ("queues.emails.retention.dead.age", NOTHING, "1w", ["~ queues.emails.retention.dead.age  2w -> 1w  (hot)"]),
    ("queues.emails.redact", NOTHING, ["data.card"], ["~ queues.emails.redact  none -> [data.card]  (hot)"]),
    ("queues.a.pool", "small", NOTHING, ["~ queues.a.pool  small -> none  (rolling)"]),
    ("flows.order.timeout", NOTHING, "1h", ["~ flows.order.timeout  none -> 1h  (hot)"]),
    ("flows.order.retention.count", NOTHING, 7, ["~ flows.order.retention.count  1000 -> 7  (hot)"]),
    ("flows.order.retention.age", NOTHING, "1w", ["~ flows.order.retention.age  2w -> 1w  (hot)"]),
    ("flows.order.steps.pay.queue", "emails", "a", ["~ flows.order.steps.pay.queue  emails -> a  (hot)"]),
    ("flows.order.steps.pay.job", "capture", "refund", ["~ flows.order.steps.pay.job  capture -> refund  (hot)"]),
    ("flows.order.steps.pay.needs", NOTHING, ["begin"], ["~ flows.order.steps.pay.needs  none -> [begin]  (hot)"]),
    ("flows.order.steps.pay.data", NOTHING, {"a": "{data.x}"},
     ['~ flows.order.steps.pay.data  none -> {"a":"{data.x}"}  (hot)']),
    ("flows.order.steps.pay.for_each", NOTHING, "{data.items}", ["~ flows.order.steps.pay.for_each  none -> {data.items}  (hot)"]),
    ("flows.order.steps.pay.optional", NOTHING, True, ["~ flows.order.steps.pay.optional  false -> true  (hot)"]),
    ("flows.order.steps.pay.on_failure", NOTHING, True, ["~ flows.order.steps.pay.on_failure  false -> true  (hot)"]),
    ("queues.payments.jobs.capture.handler", "hands:capture", "hands:take",
     ["~ queues.payments.jobs.capture.handler  hands:capture -> hands:take  (rolling)"]),
    ("queues.emails.around", NOTHING, ["hands:a"], ["~ queues.emails.around  none -> [hands:a]  (rolling)"]),
    ("queues.payments.jobs.capture.around", ["hands:a"], ["hands:b", "hands:a"],
     ["~ queues.payments.jobs.capture.around  [hands:a] -> [hands:b, hands:a]  (rolling)"]),
    ("queues.payments.jobs.capture.schema", "one.json", "two.json",
     ["~ queues.payments.jobs.capture.schema  a schema -> another one  (hot)"]),
    ("queues.payments.jobs.capture.schema", NOTHING, "two.json",
     ["~ queues.payments.jobs.capture.schema  none -> a schema  (hot)"]),
    ("queues.payments.jobs.capture.schema", "one.json", NOTHING,
     ["~ queues.payments.jobs.capture.schema  a schema -> none  (hot)"]),
    ("schedules.tidy.queue", "a", "b", ["~ schedules.tidy.queue  a -> b  (hot)"]),
    ("schedules.tidy.job", "tidy", "sweep", ["~ schedules.tidy.job  tidy -> sweep  (hot)"]),
    ("schedules.tidy", {"queue": "a", "job": "tidy", "every": "5m"}, {"queue": "a", "job": "tidy", "cron": "@daily"},
     ["~ schedules.tidy.cron  none -> @daily  (hot)", "~ schedules.tidy.every  5m -> none  (hot)"]),
    ("schedules.tidy", {"queue": "a", "job": "tidy", "cron": "@daily"},
     {"queue": "a", "job": "tidy", "cron": "@daily", "timezone": "Europe/Paris"},
     ["~ schedules.tidy.timezone  UTC -> Europe/Paris  (hot)"]),
    ("schedules.tidy.data", NOTHING, {"all": True}, ['~ schedules.tidy.data  none -> {"all":true}  (hot)']),
    ("schedules.tidy.start", NOTHING, "2030-06-01", ["~ schedules.tidy.start  none -> 2030-06-01T00:00:00+00:00  (hot)"]),
    ("schedules.tidy.end", NOTHING, "2090-06-01T08:00+02:00", ["~ schedules.tidy.end  none -> 2090-06-01T06:00:00+00:00  (hot)"]),
    ("schedules.tidy.limit", NOTHING, 5, ["~ schedules.tidy.limit  none -> 5  (hot)"]),
    ("schedules.tidy.overlap", NOTHING, "skip", ["~ schedules.tidy.overlap  allow -> skip  (hot)"]),
    ("schedules.tidy.catch_up", NOTHING, "none", ["~ schedules.tidy.catch_up  latest -> none  (hot)"]),
    ("schedules.tidy.jitter", NOTHING, "10s", ["~ schedules.tidy.jitter  none -> 10s  (hot)"]),
    ("webhooks.hook.path", "/a", "/b", ["~ webhooks.hook.path  /a -> /b  (hot)"]),
    ("webhooks.hook.method", NOTHING, "PUT", ["~ webhooks.hook.method  POST -> PUT  (hot)"]),
    ("webhooks.hook.queue", "a", "b", ["~ webhooks.hook.queue  a -> b  (hot)"]),
    ("webhooks.hook.job", "x", "{body.type}", ["~ webhooks.hook.job  x -> {body.type}  (hot)"]),
    ("webhooks.hook.unknown_jobs", NOTHING, "ignore", ["~ webhooks.hook.unknown_jobs  refuse -> ignore  (hot)"]),
    ("webhooks.hook.id", NOTHING, "{body.id}", ["~ webhooks.hook.id  none -> {body.id}  (hot)"]),
    ("webhooks.hook.replay", NOTHING, "id+body", ["~ webhooks.hook.replay  id -> id+body  (hot)"]),
    ("webhooks.hook.data", NOTHING, {"a": "{body.x}"}, ['~ webhooks.hook.data  none -> {"a":"{body.x}"}  (hot)']),
    ("webhooks.hook.schema", NOTHING, "one.json", ["~ webhooks.hook.schema  none -> a schema  (hot)"]),
    ("webhooks.hook.max_body", NOTHING, "64KiB", ["~ webhooks.hook.max_body  1MiB -> 64KiB  (hot)"]),
    ("webhooks.hook.response.status", NOTHING, 200, ["~ webhooks.hook.response.status  none -> 200  (hot)"]),
    ("webhooks.hook.response.body", NOTHING, "ok", ["~ webhooks.hook.response.body  none -> ok  (hot)"]),
    ("webhooks.hook.ids.keep", NOTHING, "5d", ["~ webhooks.hook.ids.keep  4d -> 5d  (hot)"]),
    ("webhooks.hook.deduplication", {"key": "{body.a}", "mode": "throttle", "ttl": "1m"}, {"key": "{body.b}"},
     ["~ webhooks.hook.deduplication.key  {body.a} -> {body.b}  (hot)",
      "~ webhooks.hook.deduplication.mode  throttle -> until_done  (hot)",
      "~ webhooks.hook.deduplication.ttl  1m -> none  (hot)"]),
    ("webhooks.hook.verify", {"type": "none", "allow_unsigned": True}, {"type": "basic", "user": "u", "secret": {"secret": "s"}},
     ["~ webhooks.hook.verify.type  none -> basic  (hot)",
      "~ webhooks.hook.verify.secret  none -> the secret s (S)  (hot)",
      "~ webhooks.hook.verify.user  none -> u  (hot)",
      "~ webhooks.hook.verify.allow_unsigned  true -> false  (hot)"]),
    ("webhooks.hook.verify", HMAC, HMAC | {"header": "x-b", "prefix": "v=", "algorithm": "sha512", "encoding": "base64", "tolerance": "1m",
      "signed": "{id}.{timestamp}.{body}", "timestamp_header": "X-T", "id_header": "X-I"},
     ["~ webhooks.hook.verify.header  x-a -> x-b  (hot)",
      "~ webhooks.hook.verify.prefix  none -> v=  (hot)",
      "~ webhooks.hook.verify.algorithm  sha256 -> sha512  (hot)",
      "~ webhooks.hook.verify.encoding  hex -> base64  (hot)",
      "~ webhooks.hook.verify.signed  {body} -> {id}.{timestamp}.{body}  (hot)",
      "~ webhooks.hook.verify.timestamp_header  none -> x-t  (hot)",
      "~ webhooks.hook.verify.id_header  none -> x-i  (hot)",
      "~ webhooks.hook.verify.tolerance  5m -> 1m  (hot)",
      "~ webhooks.hook.replay  id+body -> id  (hot)"]),
]  # fmt: skip
# What both a queue and a job name can say, with the lines below them.
OF_JOBS = [
    ("priority", NOTHING, 7, ["priority  0 -> 7"]),
    ("timeout", NOTHING, "90s", ["timeout  10m -> 1m30s"]),
    ("timeout", "30s", None, ["timeout  30s -> none"]),
    ("timeout", "30s", {"soft": "20s", "hard": "30s"}, ["timeout.soft  none -> 20s"]),
    ("timeout", {"soft": "8s", "hard": "10s"}, "30s", ["timeout.soft  8s -> none", "timeout.hard  10s -> 30s"]),
    ("timeout.soft", "8s", "9s", ["timeout.soft  8s -> 9s"]),
    ("retry", NOTHING, {"attempts": 5}, ["retry.attempts  1 -> 5"]),
    ("retry", {"attempts": 3}, FIXED, ["retry.backoff.type  none -> fixed", "retry.backoff.delay  none -> 2s"]),
    ("retry", FIXED, {"attempts": 3}, ["retry.backoff.type  fixed -> none", "retry.backoff.delay  2s -> none"]),
    ("retry", FIXED, {"attempts": 3, "backoff": {"type": "list", "delays": ["1s", "1m"]}},
     ["retry.backoff.type  fixed -> list", "retry.backoff.delay  2s -> none",
      "retry.backoff.delays  none -> [1s, 1m]"]),
    ("retry", FIXED, {"attempts": 3, "backoff": {"type": "fixed", "delay": "2s", "max": "1m", "jitter": 0.5}},
     ["retry.backoff.max  none -> 1m", "retry.backoff.jitter  none -> 0.5"]),
    ("retry", {"retry_on": ["OSError"]}, {"retry_on": []}, ["retry.retry_on  [OSError] -> []"]),
    ("retry", {"discard_on": ["OSError", "KeyError"]}, NOTHING, ["retry.discard_on  [OSError, KeyError] -> none"]),
    ("deduplication", NOTHING, {"key": "{data.id}"},
     ["deduplication.key  none -> {data.id}", "deduplication.mode  none -> until_done"]),
    ("deduplication", {"key": "{data.id}", "mode": "throttle", "ttl": "1m"}, {"key": "{data.no}", "mode": "throttle", "ttl": "1h"},
     ["deduplication.key  {data.id} -> {data.no}", "deduplication.ttl  1m -> 1h"]),
    ("expires", NOTHING, "10m", ["expires  none -> 10m"]),
]  # fmt: skip
OWNERS = ("queues.emails", "queues.payments.jobs.capture")
TABLE = ELSEWHERE + [
    (f"{owner}.{key}", before, after, [f"~ {owner}.{line}  (hot)" for line in lines])
    for owner in OWNERS
    for key, before, after, lines in OF_JOBS
]


@pytest.mark.parametrize(("path", "before", "after", "told"), TABLE)
def test_a_change_is_told_at_its_key_with_both_values(
    path: str, before: Any, after: Any, told: list[str]
) -> None:
    first = edited(f"{path.rpartition('.')[0]}.hard", "10s") if path.endswith(".soft") else BASE
    if path.startswith("http.tokens"):
        token = {"ci": {"secret": {"secret": "one"}}}
        first = edited("http", {"tokens": token}, edited("secrets", {"one": {"env": "ONE"}}))
    if path.startswith("flows."):
        first = edited("flows.order", FLOW)
    if path.startswith("webhooks."):
        first = edited("secrets.s.env", "S", edited("webhooks.hook", HOOK))
    assert lines(plan_of(edited(path, before, first)), plan_of(edited(path, after, first))) == told


def test_the_table_has_every_key_that_says_something_of_what_runs() -> None:
    told = {line.split()[1] for *_, expected in TABLE for line in expected}
    names = {
        "queues.(emails|payments|a)": "queues.*",
        "jobs.capture": "jobs.*",
        "pools.small": "pools.*",
        "schedules.tidy": "schedules.*",
        "alerts.(oncall|pager)": "alerts.*",
        "http.users.ann": "http.users.*",
        "http.tokens.ci": "http.tokens.*",
        "flows.order.steps.pay": "flows.*.steps.*",
        "flows.order": "flows.*",
        "webhooks.hook": "webhooks.*",
    }
    for name, star in names.items():
        told = {re.sub(name, star, path) for path in told}
    assert told == set(leaves())


def leaves() -> Iterator[str]:
    """The keys that hold a value, without those that are only used where another key names them."""
    elsewhere = ("version", "include", "secrets", "retries", "defaults", "profiles", "tests")
    for path, key in keys().items():
        holds_more = key.below or key.takes in ("a map of names", "a map of keys")
        resolved = path.endswith((".extends", ".retry", ".secret", ".replicas", ".executor.type"))
        resolved &= not path.endswith("verify.secret")
        if path.startswith(elsewhere) or resolved:
            continue
        own = (".timeout", ".executor", "broker.url", "broker.durability", "alerts.*.url", "verify.secret")
        if not holds_more or path.endswith(own):
            yield path


@pytest.mark.parametrize("path", classes())
def test_a_key_has_the_class_that_the_model_says(path: str) -> None:
    assert class_of(path) == classes()[path]


def test_what_the_file_says_otherwise_but_means_the_same_is_no_change() -> None:
    default = edited("defaults.concurrency", 10, edited("supervisor.stop_timeout", "25000ms"))
    assert lines(plan_of(BASE), plan_of(default)) == []


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "none"), (True, "true"), (80, "80"), ("30s", "30s"), (["1s", "5s"], "[1s, 5s]"), ([], "[]")],
)
def test_values_are_shown_as_the_file_has_them(value: Any, text: str) -> None:
    assert shown(value) == text
