"""Every key of the file has its class of change, and here each of them is changed under a running supervisor.

hot: no process is touched. rolling: the pool's processes are replaced. restart: refused as a whole.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.config.keys import classes
from pipeline.control import Outcome, Request, ask_all, running_plan
from tests.lifecycle.conftest import Written, eventually, make

NAMES = {
    "queues.*": "a",
    "jobs.*": "job",
    "retries.*": "standard",
    "pools.*": "shared",
    "secrets.*": "one",
    "profiles.*": "dev",
    "schedules.*": "tidy",
    "alerts.*": "oncall",
    "flows.*": "flow",
    "users.*": "ann",
    "tokens.*": "ci",
    "steps.*": "step",
    "webhooks.*": "hook",
}
HASH = "scrypt:15:8:1:bvsYPjt9X6Ls1nr1wpPPNQ:AKY9YHaAgoHUKBQIpDYZYZT8RPx0oH_8bapGhgYRwCg"
OTHER_HASH = HASH.replace("AKY9", "BKY9")
ALERTS = {"oncall": {"url": "https://example.com/a"}, "pager": {"command": ["page"]}}
OPEN = {"type": "none", "allow_unsigned": True}
HOOK = {"path": "/a", "queue": "a", "job": "job", "verify": OPEN}
SIGNED = {"type": "hmac", "secret": {"secret": "hooked"}, "header": "X-A"}
# What each kind of key is changed from and to. A longer ending of a path goes before a shorter one.
VALUES = {
    "version": (1, 2),
    "name": ("test", "other"),
    "include": ([], ["more.yaml"]),
    "broker": ({}, {"durability": "fsync"}),
    "broker.url": ("embedded", "redis://localhost:1"),
    "broker.url.secret": ("one", "two"),
    "broker.durability": ("everysec", "fsync"),
    "durability.replicas": (1, 2),
    "allow_eviction": (False, True),
    "http": (None, {"listen": "127.0.0.1:0"}),
    "http.listen": ("127.0.0.1:0", "[::1]:0"),
    "http.ingress": ("127.0.0.1:0", "[::1]:0"),
    "http.path": ("/a", "/b"),
    "http.hosts": (["a.example.com"], ["b.example.com"]),
    "http.tls": (None, {"certificate": "a.pem", "key": "a.pem"}),
    "tls.certificate": ("a.pem", "b.pem"),
    "tls.key": ("a.pem", "b.pem"),
    "http.auth": ("required", "none"),
    "http.users": ({}, {"ann": {"password": HASH}}),
    "http.users.*": ({"password": HASH}, {"password": OTHER_HASH}),
    "users.*.role": ("viewer", "admin"),
    "users.*.password": (HASH, OTHER_HASH),
    "http.tokens": ({}, {"ci": {"secret": {"secret": "one"}}}),
    "http.tokens.*": ({"secret": {"secret": "one"}}, {"secret": {"secret": "two"}}),
    "tokens.*.role": ("viewer", "admin"),
    "tokens.*.secret": ({"secret": "one"}, {"secret": "two"}),
    "secret.secret": ("one", "two"),
    "http.proxy": (None, {"from": ["10.0.0.0/8"]}),
    "proxy.header": ("X-User", "X-Name"),
    "proxy.from": (["10.0.0.0/8"], ["10.0.0.0/16"]),
    "proxy.role": ("viewer", "operator"),
    "setup": (None, "hands:setup"),
    "supervisor": ({"stop_timeout": "10s"}, {"stop_timeout": "11s"}),
    "stop_timeout": ("10s", "12s"),
    "lease": ("15s", "16s"),
    "import_timeout": ("10s", "11s"),
    "restart": ({"max": "1m"}, {"max": "2m"}),
    "restart.delay": ("1s", "2s"),
    "restart.max": ("1m", "3m"),
    "give_up_after": (5, 6),
    "reload": ({"watch": False}, {"watch": False, "interval": "3s"}),
    "watch": (False, True),
    "interval": ("2s", "4s"),
    "secrets": ({"one": {"env": "ONE"}}, {"two": {"env": "TWO"}}),
    "secrets.*": ({"env": "ONE"}, {"env": "TWO"}),
    "secrets.*.file": ("a", "b"),
    "secrets.*.env": ("ONE", "TWO"),
    "retries": ({"standard": {"attempts": 2}}, {"standard": {"attempts": 3}}),
    "retries.*": ({"attempts": 2}, {"attempts": 4}),
    "retries.*.extends": (None, "other"),
    "retry": ("standard", "other"),
    "extends": ("standard", "other"),
    "retry.attempts": (2, 3),
    "attempts": (2, 3),
    "backoff": ({"type": "fixed", "delay": "1s"}, {"type": "fixed", "delay": "2s"}),
    "backoff.type": ("fixed", "linear"),
    "backoff.delay": ("1s", "2s"),
    "backoff.max": ("1m", "2m"),
    "backoff.jitter": (0.1, 0.2),
    "backoff.delays": (["1s"], ["2s"]),
    "retry_on": (["OSError"], ["ValueError"]),
    "discard_on": (["OSError"], ["ValueError"]),
    "defaults": ({"concurrency": 2}, {"concurrency": 3}),
    "processes": (1, 2),
    "recycle": ({"max_jobs": 100_000}, {"max_jobs": 200_000}),
    "max_jobs": (100_000, 200_000),
    "max_memory": ("1GiB", "2GiB"),
    "max_age": ("1d", "2d"),
    "timeout": ("30s", "40s"),
    "timeout.soft": ("5s", "6s"),
    "timeout.hard": ("30s", "50s"),
    "priority": (1, 2),
    "deduplication": ({"key": "{data.a}"}, {"key": "{data.b}"}),
    "deduplication.key": ("{data.a}", "{data.b}"),
    "deduplication.mode": ("until_done", "throttle"),
    "deduplication.ttl": ("1m", "2m"),
    "expires": ("1h", "2h"),
    "concurrency": (3, 4),
    "max_active": (5, 6),
    "lanes": ({"key": "{data.a}", "max_active": 1}, {"key": "{data.b}", "max_active": 1}),
    "lanes.key": ("{data.a}", "{data.b}"),
    "lanes.max_active": (5, 6),
    "lanes.rate_limit": ({"max": 5, "per": "1s"}, {"max": 6, "per": "1s"}),
    "lanes.rate_limit.max": (5, 6),
    "lanes.rate_limit.per": ("1s", "2s"),
    "lanes.order": (None, "strict"),
    "lanes.fair": (True, False),
    "rate_limit": ({"max": 5, "per": "1s"}, {"max": 6, "per": "1s"}),
    "rate_limit.max": (5, 6),
    "per": ("1s", "2s"),
    "wait_limit": ({"max": "5m", "alert": "oncall"}, {"max": "6m", "alert": "oncall"}),
    "wait_limit.max": ("5m", "6m"),
    "dead_letter": ({"queue": "b"}, {"queue": "c"}),
    "dead_letter.queue": ("b", "c"),
    "alert": ("oncall", "pager"),
    "alerts": (ALERTS, ALERTS | {"third": {"command": ["page"]}}),
    "alerts.*": ({"command": ["page"]}, {"command": ["page", "now"]}),
    "alerts.*.url": ("https://example.com/a", "https://example.com/b"),
    "url.secret": ("one", "two"),
    "command": (["page"], ["page", "now"]),
    "format": ("json", "slack"),
    "throttle": ("5m", "6m"),
    "events": (["fatal"], ["rejected"]),
    "allow_private": (False, True),
    "retention": ({"dead": {"count": 5}}, {"dead": {"count": 6}}),
    "completed": ({"count": 5}, {"count": 6}),
    "dead": ({"count": 5}, {"count": 6}),
    "count": (5, 6),
    "age": ("1h", "2h"),
    "ids": ({"keep": "1d"}, {"keep": "2d"}),
    "keep": ("1d", "2d"),
    "max_crashes": (3, 4),
    "max_payload": ("1MiB", "2MiB"),
    "executor": ("auto", "async"),
    "executor.type": ("auto", "async"),
    "batch": ({"size": 2}, {"size": 3}),
    "batch.size": (2, 3),
    "wait": ("1s", "2s"),
    "paused": (False, True),
    "redact": (["data.card"], ["data.card", "data.email"]),
    "queues": ({"a": {"handler": "hands:work"}}, {"a": {"handler": "hands:work", "concurrency": 7}}),
    "queues.*": ({"handler": "hands:work"}, {"handler": "hands:work", "concurrency": 8}),
    "handler": ("hands:work", "hands:other"),
    "around": ([], ["hands:watched"]),
    "jobs": ({}, {"job": {"handler": "hands:work"}}),
    "jobs.*": ({"handler": "hands:work"}, {"handler": "hands:other"}),
    "schema": ("one.json", "two.json"),
    "pool": (None, "shared"),
    "pools": ({"shared": {"processes": 1}}, {"shared": {"processes": 2}}),
    "pools.*": ({"processes": 1}, {"processes": 2}),
    "schedules": (
        {"tidy": {"queue": "a", "job": "job", "every": "1h"}},
        {"tidy": {"queue": "a", "job": "job", "every": "2h"}},
    ),
    "schedules.*": (
        {"queue": "a", "job": "job", "every": "1h"},
        {"queue": "a", "job": "job", "cron": "@daily"},
    ),
    "schedules.*.queue": ("a", "b"),
    "schedules.*.job": ("job", "other"),
    "every": ("1h", "2h"),
    "cron": ("@daily", "@weekly"),
    "timezone": ("UTC", "Europe/Paris"),
    "data": ({"a": 1}, {"a": 2}),
    "start": ("2030-06-01", "2030-07-01"),
    "end": ("2090-06-01", "2090-07-01"),
    "limit": (5, 6),
    "overlap": ("allow", "skip"),
    "catch_up": ("latest", "none"),
    "schedules.*.jitter": ("1s", "2s"),
    "flows": (
        {"f": {"steps": {"s": {"queue": "a", "job": "j"}}}},
        {"g": {"steps": {"s": {"queue": "a", "job": "j"}}}},
    ),
    "flows.*": ({"steps": {"t": {"queue": "a", "job": "j"}}}, {"steps": {"s": {"queue": "a", "job": "k"}}}),
    "flows.*.timeout": ("1h", "2h"),
    "flows.*.retention": ({"count": 5}, {"count": 6}),
    "steps": ({"s": {"queue": "a", "job": "j"}}, {"t": {"queue": "a", "job": "j"}}),
    "steps.*": ({"queue": "a", "job": "j"}, {"queue": "a", "job": "k"}),
    "steps.*.queue": ("a", "b"),
    "steps.*.job": ("j", "k"),
    "needs": ([], ["first"]),
    "for_each": ("{data.x}", "{data.y}"),
    "optional": (False, True),
    "on_failure": (False, True),
    "webhooks": ({"hook": HOOK}, {"hook": HOOK, "other": HOOK | {"path": "/b"}}),
    "webhooks.*": (HOOK, HOOK | {"job": "other"}),
    "webhooks.*.path": ("/a", "/b"),
    "method": ("POST", "PUT"),
    "webhooks.*.queue": ("a", "b"),
    "webhooks.*.job": ("job", "other"),
    "unknown_jobs": ("refuse", "ignore"),
    "webhooks.*.id": (None, "{body.id}"),
    "replay": ("id", "id+body"),
    "webhooks.*.deduplication": ({"key": "{body.a}"}, {"key": "{body.b}"}),
    "webhooks.*.deduplication.key": ("{body.a}", "{body.b}"),
    "webhooks.*.data": ({"a": 1}, {"a": "{body.x}"}),
    "max_body": ("1MiB", "2MiB"),
    "response": ({}, {"body": "ok"}),
    "response.status": (None, 200),
    "response.body": (None, "ok"),
    "webhooks.*.ids": ({"keep": "1d"}, {"keep": "2d"}),
    "verify": (OPEN, SIGNED),
    "verify.type": ("github", "gitlab"),
    "verify.secret": ({"secret": "hooked"}, [{"secret": "hooked"}, {"secret": "older"}]),
    "verify.secret.secret": ("hooked", "older"),
    "verify.user": ("a", "b"),
    "verify.header": ("X-A", "X-B"),
    "verify.prefix": (None, "v="),
    "verify.algorithm": ("sha256", "sha512"),
    "verify.encoding": ("hex", "base64"),
    "verify.signed": ("{body}", "x{body}"),
    "verify.timestamp_header": ("X-A", "X-B"),
    "verify.id_header": ("X-A", "X-B"),
    "verify.tolerance": ("1m", "2m"),
    "verify.allow_unsigned": (None, False),
    "profiles": ({}, {"dev": {"defaults": {"concurrency": 1}}}),
    "profiles.*": ({"defaults": {"concurrency": 1}}, {"defaults": {"concurrency": 2}}),
    "tests": ([], [{"name": "curve", "retry": "standard", "expect": {"delays": []}}]),
}
HOURLY = {"queue": "a", "job": "job", "every": "1h"}
DAILY = {"queue": "a", "job": "job", "cron": "@daily"}
# What a key needs beside it, by the ending of its path.
BESIDE: dict[str, dict[str, Any]] = {
    "users.*.role": {"password": HASH},
    "tokens.*.role": {"secret": {"secret": "one"}},
    "proxy.header": {"from": ["10.0.0.0/8"]},
    "proxy.role": {"from": ["10.0.0.0/8"], "header": "X-User"},
    "webhooks.*.deduplication.ttl": {"key": "{body.a}", "mode": "throttle"},
    "webhooks.*.deduplication.mode": {"key": "{body.a}"},
    "backoff.type": {"delay": "1s"},
    "backoff.delay": {"type": "fixed"},
    "backoff.max": {"type": "fixed", "delay": "1s"},
    "backoff.jitter": {"type": "fixed", "delay": "1s"},
    "backoff.delays": {"type": "list"},
    "deduplication.mode": {"key": "{data.a}", "ttl": None},
    "deduplication.ttl": {"key": "{data.a}", "mode": "throttle"},
    "rate_limit.max": {"per": "1s"},
    "wait_limit.max": {"alert": "oncall"},
    "wait_limit.alert": {"max": "5m"},
    "alerts.*.command": {"url": None},
    "rate_limit.per": {"max": 5},
    "batch.wait": {"size": 2},
    "executor.max_jobs": {"type": "process"},
    "jobs.*.schema": {"handler": "hands:work"},
    "schedules.*.timezone": DAILY,
    "verify.user": {"type": "basic", "secret": {"secret": "hooked"}},
    "verify.type": {"secret": {"secret": "hooked"}},
    "verify.secret": {"type": "github"},
    "verify.timestamp_header": SIGNED | {"signed": "{timestamp}.{body}"},
    "verify.id_header": SIGNED | {"signed": "{id}.{body}"},
    "verify.tolerance": SIGNED | {"signed": "{timestamp}.{body}", "timestamp_header": "X-T"},
    "verify.allow_unsigned": {"type": "github", "secret": {"secret": "hooked"}},
    **{f"verify.{key}": SIGNED for key in ("header", "prefix", "algorithm", "encoding", "signed")},
    "schedules.*.cron": {"queue": "a", "job": "job"},
    **{
        f"schedules.*.{key}": HOURLY
        for key in ("queue", "job", "every", "data", "start", "end", "limit", "overlap", "catch_up", "jitter")
    },
}
# They change nothing that runs: what they say is used elsewhere, or nowhere yet.
SILENT = ("include", "secrets", "profiles", "tests")


def values_of(path: str) -> tuple[object, object]:
    steps = path.split(".")
    for start in range(len(steps)):
        if (ending := ".".join(steps[start:])) in VALUES:
            return VALUES[ending]
    raise AssertionError(f"the table has no values for {path}")


def put(document: dict[str, Any], path: str, value: object) -> None:
    """Set the value at a path in which names are `*`."""
    steps, node = path.split("."), document
    for number, step in enumerate(steps):
        name = NAMES[f"{steps[number - 1]}.*"] if step == "*" else step
        if number == len(steps) - 1:
            node[name] = value
            return
        if not isinstance(node.get(name), dict):
            node[name] = {}
        node = node[name]


def add_webhook(path: str, document: dict[str, Any]) -> None:
    """A webhook around a key of one."""
    if path.startswith("webhooks.*."):
        document["webhooks"] = {"hook": HOOK | document.get("webhooks", {}).get("hook", {})}
        document["secrets"] = {name: {"file": f"{name}.txt"} for name in ("hooked", "older")}
    if path == "webhooks.*.verify.secret.secret":
        put(document, "webhooks.*.verify", {"type": "github"})


def document_with(path: str, value: object) -> dict[str, Any]:
    document = copy.deepcopy(BASE)
    ending = next((one for one in BESIDE if path.endswith(one)), None)
    if ".jobs.*" in path:
        put(document, "queues.*.jobs.*.handler", "hands:work")
    for beside, with_it in BESIDE.get(ending or "", {}).items():
        put(document, f"{path.rpartition('.')[0]}.{beside}", with_it)
    if path.endswith("deduplication.mode") and value == "throttle":
        put(document, f"{path.rpartition('.')[0]}.ttl", "1m")
    if path.startswith("defaults.dead_letter"):
        for queue in ("b", "c"):
            document["queues"][queue]["dead_letter"] = None
    if path == "alerts.*.url.secret" or path.startswith("http.tokens"):
        document["secrets"] = {name: {"file": f"{name}.txt"} for name in ("one", "two")}
    add_webhook(path, document)
    if ".lanes." in path:
        lanes = path.partition(".lanes.")[0] + ".lanes"
        put(document, f"{lanes}.key", "{data.a}")
        put(document, f"{lanes}.max_active", 1)
    if path.startswith("defaults."):
        document["queues"]["a"].pop(path.split(".")[1], None)
    put(document, path, value)
    return document


BASE: dict[str, Any] = {
    "name": "test",
    "broker": {},
    "http": {"listen": "127.0.0.1:0", "ingress": "127.0.0.1:0"},
    "supervisor": {"stop_timeout": "10s", "reload": {"watch": False}},
    "retries": {
        "standard": {"attempts": 2},
        "other": {"attempts": 5, "backoff": {"type": "fixed", "delay": "9s"}},
    },
    "alerts": ALERTS,
    "queues": {
        "a": {"handler": "hands:work", "retry": "standard"},
        "b": {"handler": "hands:work", "pool": "shared"},
        "c": {"handler": "hands:work", "pool": "shared"},
    },
    "pools": {"shared": {"processes": 1}},
    "flows": {"flow": {"steps": {"first": {"queue": "a", "job": "j"}, "step": {"queue": "a", "job": "j"}}}},
}


@pytest.fixture(scope="module")
def running():
    project = make("embedded", Written)
    written = next(project)
    (written.root / "more.yaml").write_text("x-nothing: 1\n")
    for name in ("one", "two"):
        (written.root / f"{name}.json").write_text(json.dumps({"title": name}))
        (written.root / f"{name}.txt").write_text(f"https://example.com/{name}")
    for name in ("hooked", "older"):
        (written.root / f"{name}.txt").write_text(f"a secret that nobody guesses: {name}")
    written.file.write_text(json.dumps(BASE))
    run = written.run()
    eventually(lambda: is_up(written) and written.pools_run(), "it runs")
    yield written
    assert run.stop() == 0
    next(project, None)


def is_up(written):
    return (written.root / ".pipeline" / "broker.sock").exists() and written.ping()


def apply(written, document) -> Outcome:
    written.file.write_text(json.dumps(document))
    (answer,) = ask_all(written.root, Request("reload"), lambda _: None).values()
    return msgspec.convert(answer, Outcome)


def is_quiet(written) -> bool:
    plan = running_plan(written.root)
    assert plan is not None
    return bool(len(workers(written)) == sum(pool.processes for pool in plan.pools.values()))


def workers(written) -> set[int]:
    """The worker processes of queue a."""
    (run,) = written.runs
    return {pid for pid in run.children() if is_worker(pid) and not written.is_gone(pid)}


def is_worker(pid: int) -> bool:
    try:
        return b"pipeline.worker.main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize("path", [path for path in classes() if not path.startswith("tests.*")])
def test_every_key_changes_in_its_class(running, path):
    before, after = values_of(path)
    first = apply(running, document_with(path, before))
    change_class = classes()[path]
    if path.startswith(("broker.url", "broker.durability.replicas", "http")):
        first = apply(running, BASE)
    assert first.status in ("applied", "unchanged"), first
    eventually(lambda: is_quiet(running), "whoever was replaced has left")
    processes, generation = workers(running), first.generation
    outcome = apply(running, document_with(path, after))
    match change_class:
        case "restart":
            assert outcome.status in ("restart_required", "rejected"), outcome
            assert outcome.generation == generation
            assert workers(running) == processes
        case "rolling":
            assert outcome.status == "applied", outcome
            eventually(lambda: not processes <= workers(running), "a worker is replaced")
        case _:
            # `allow_unsigned` is a condition of type none, and changes with it.
            silent = path.startswith(SILENT) or path.endswith("allow_unsigned")
            assert outcome.status == ("unchanged" if silent else "applied"), outcome
            assert silent or outcome.changes
            if "processes" not in path and not path.startswith("pools"):
                assert workers(running) == processes
    assert apply(running, BASE).status in ("applied", "unchanged")
