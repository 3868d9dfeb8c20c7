"""Every key that a file can have: what it takes, its default, its class of change. Read from the model."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from msgspec import Struct
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from pipeline import units
from pipeline.config.block import Change
from pipeline.config.fields import Kind
from pipeline.config.hints import format_size
from pipeline.config.model import Config
from pipeline.config.suggest import near
from pipeline.config.tree import Path

# What one value cannot show. The others have the example of their kind.
_EXAMPLES = {
    "include": "[queues/*.yaml]", "profiles.*": "{queues: {emails: {concurrency: 2}}}",
    "broker": "{url: redis://localhost:6379/0, durability: fsync}",
    "supervisor": "{stop_timeout: 40s}", "supervisor.restart": "{delay: 1s, max: 60s, give_up_after: 5}",
    "supervisor.reload": "{watch: true, interval: 2s}",
    "secrets.*": "{file: secrets/broker}", "secrets.*.file": "secrets/broker", "secrets.*.env": "BROKER_URL",
    "retry": "standard", "backoff": "{type: exponential, delay: 2s, max: 5m, jitter: 0.2}",
    "retries.*": "{attempts: 3, backoff: {type: exponential, delay: 2s, max: 5m}}",
    "timeout": "{soft: 8s, hard: 10s}", "schema": "schemas/jobs/capture.schema.json",
    "delays": "[1s, 5s, 1m]", "retention": "{completed: {count: 100, age: 1h}, dead: {age: 14d}}",
    "completed": "{count: 100, age: 1h}", "dead": "{count: 10000, age: 14d}", "ids": "{keep: 2d}",
    "deduplication": '{key: "{data.charge}", mode: throttle, ttl: 10m}',
    "expires": "10m", "around": "[handlers.tracing:span]", "retry_on": "[TimeoutError, handlers.errors:GatewayBusy]", "discard_on": "[handlers.errors:CardDeclined]",
    "dead_letter": "{queue: morgue, alert: oncall}", "dead_letter.queue": "morgue", "alert": "oncall",
    "wait_limit": "{max: 10m, alert: oncall}", "alerts.*": "{url: {secret: slack}, format: slack, throttle: 5m}",
    "alerts.*.url.secret": "slack", "command": "[bin/page, --now]", "events": "[fatal, rejected]", "format": "slack",
    "rate_limit": "{max: 50, per: 1s}", "rate_limit.max": "50", "per": "1s",
    "lanes": '{key: "{data.sku}", order: strict}', "lanes.key": '"{data.sku}"', "order": "strict",
    "batch": "{size: 100, wait: 200ms}", "size": "100", "wait": "200ms",
    "executor": "{type: process, max_jobs: 100}", "executor.type": "process", "redact": "[data.card, data.customer.*.email]",
    "recycle": "{max_jobs: 10000, max_memory: 512MiB, max_age: 1d}", "pools.*": "{processes: 2}", "pool": "quick",
    "defaults": "{concurrency: 10, timeout: 30s}", "queues.*": "{handler: handlers.emails:send, concurrency: 20}",
    "jobs.*": "{handler: handlers.payments:capture, timeout: 20s}", "raises": "[TimeoutError, null]",
    "schedules.*": '{queue: emails, job: digest, cron: "15 2 * * *"}', "every": "5m", "data": "{mode: full}",
    "overlap": "skip", "catch_up": "all", "limit": "10", "schedules.*.jitter": "30s",
    "schedules.*.queue": "emails", "schedules.*.job": "digest",
    "webhooks.*": "{path: /hooks/stripe, verify: {type: stripe, secret: {secret: stripe}}, queue: payments, job: capture}",
    "path": "/hooks/stripe", "verify": "{type: stripe, secret: {secret: stripe}}", "verify.type": "github",
    "verify.secret": "[{secret: stripe}, {secret: stripe-old}]", "verify.secret.secret": "stripe", "user": "shop", "header": "X-Signature", "prefix": "sha256=",
    "signed": '"{timestamp}.{body}"', "timestamp_header": "X-Timestamp", "id_header": "X-Event-Id", "tolerance": "5m",
    "webhooks.*.queue": "payments", "webhooks.*.job": '"{body.type}"', "webhooks.*.id": '"{body.id}"', "unknown_jobs": "ignore",
    "webhooks.*.deduplication": '{key: "{body.order}", mode: throttle, ttl: 10m}', "webhooks.*.deduplication.key": '"{body.order}"', "replay": "id",
    "webhooks.*.data": '{order: "{body.data.order}", topic: "{header.x-topic}"}', "webhooks.*.schema": "schemas/hooks/order.schema.json", "max_body": "256KiB",
    "webhooks.*.method": "POST", "response": "{status: 200, body: ok}", "response.status": "200", "response.body": "ok", "webhooks.*.ids": "{keep: 4d}",
    "tests.*": "{name: backoff curve, retry: standard, expect: {delays: [2s, 4s]}}",
    "tests.*.name": "backoff curve", "broker.url.secret": "broker", "type": "exponential", "durability": "fsync", "durability.replicas": "1", "state": "dead", "tests.*.queue": "emails", "tests.*.job": "capture",
    "flows.*": "{steps: {reserve: {queue: inventory, job: reserve}, charge: {queue: payments, job: capture, needs: [reserve]}}}",
    "steps.*": "{queue: payments, job: capture, needs: [reserve]}", "steps.*.queue": "payments", "steps.*.job": "capture",
    "steps.*.needs": "[reserve]", "steps.*.data": '{order: "{data.id}", stock: "{steps.reserve.result}"}',
    "for_each": '"{data.items}"', "flows.*.timeout": "1h", "flows.*.retention": "{count: 1000, age: 14d}",
    "http": "{listen: 127.0.0.1:9400}", "http.hosts": "[queues.example.com]", "http.auth": "none",
    "http.tls": "{certificate: tls/chain.pem, key: tls/key.pem}", "http.tls.certificate": "tls/chain.pem", "http.tls.key": "tls/key.pem",
    "http.users.*": '{role: operator, password: "scrypt:15:8:1:c2FsdHNhbHRzYWx0c2FsdA:VtZW5QJ0cI6nqf6dCLtlqTJG7gzWQ8nq0Tn4KjW1M2g"}',
    "http.tokens.*": "{role: operator, secret: {secret: ci-token}}", "tokens.*.secret": "{secret: ci-token}",
    "tokens.*.secret.secret": "ci-token", "role": "operator", "http.ingress": "127.0.0.1:9401",
    "http.proxy": "{header: X-Forwarded-User, from: [10.0.0.0/8], role: viewer}", "http.proxy.from": "[10.0.0.0/8]",
    "expect": "{state: dead, attempt: 3}", "version": "1", "setup": "handlers.boot:init",
}  # fmt: skip


class Key(Struct, frozen=True):
    """A key, or a name that the user chooses (its path ends in `*`). `default` is None where there is none."""

    path: str
    takes: str
    default: str | None
    change: Change
    description: str
    example: str | None
    required: bool = False
    below: tuple[str, ...] = ()
    """The keys of the block that may stand there."""


@cache
def keys() -> dict[str, Key]:
    """Every key by its path: `supervisor.reload.interval`, `queues.*.retry`, `tests.*.expect`."""
    return {key.path: key for key in _of_block(Config, "")}


def classes() -> dict[str, Change]:
    """The class of change of every key by its path."""
    return {path: key.change for path, key in keys().items()}


def find(path: Path) -> Key | None:
    """The key at a path whose names stand for themselves or as `*`: ("queues", "emails", "retry")."""
    here = ""
    for step in path:
        inner, named = _below(here, str(step)), _below(here, "*")
        here = inner if inner in keys() else named
        if here not in keys():
            return None
    return keys().get(here)


def near_path(path: Path) -> str | None:
    """The path of a key that was most likely meant, or None: its steps are mended one by one."""
    done = here = ""
    for step in map(str, path):
        names = {name.rpartition(".")[2] for name in keys() if _parent(name) == here}
        found = step if names == {"*"} else near(step, names)
        if found is None:
            return _ending_in(str(path[-1]))
        done, here = _below(done, found), _below(here, "*" if names == {"*"} else found)
    return done


def _below(path: str, step: str) -> str:
    return f"{path}.{step}" if path else step


def _parent(path: str) -> str:
    return path.rpartition(".")[0]


def _ending_in(name: str) -> str | None:
    """The shortest path that ends in this name, or in one near to it."""
    last = near(name, {path.rpartition(".")[2] for path in keys()} - {"*"})
    return min((path for path in keys() if path.rpartition(".")[2] == last), key=len, default=None)


def _of_block(model: type[BaseModel], prefix: str) -> Iterator[Key]:
    for name, field in model.model_fields.items():
        path = _below(prefix, field.alias or name)
        yield _key(path, field)
        yield from _inside(field, path)


def _inside(field: FieldInfo, path: str) -> Iterator[Key]:
    """The keys below one: of its block, or of the blocks that it holds by name or in a list."""
    blocks = [part for part in _parts(field.annotation, field.metadata) if _is_block(part)]
    many = [part for part in _parts(field.annotation, field.metadata) if get_origin(part) in (dict, tuple)]
    for block in blocks:
        yield from _of_block(block, path)
    for part in many:
        items = get_args(part)[1 if get_origin(part) is dict else 0]
        for item in _parts(items, []):
            if item in blocks:
                continue  # one of them, or a list of such
            if _is_block(item) or get_origin(part) is dict:
                yield _item(f"{path}.*", item, field)
            if _is_block(item):
                yield from _of_block(item, f"{path}.*")


def _item(path: str, item: Any, field: FieldInfo) -> Key:
    about = (item.__doc__ or "") if _is_block(item) else _description(field)
    below = _names(item) if _is_block(item) else ()
    return Key(path, "a map of keys", None, _change(field), _line(about), _example(path, None), below=below)


def _key(path: str, field: FieldInfo) -> Key:
    parts = list(_parts(field.annotation, field.metadata))
    takes = " or ".join(dict.fromkeys(filter(None, map(_words, parts))))
    below = tuple(name for part in parts if _is_block(part) for name in _names(part))
    kind = next((part for part in parts if isinstance(part, Kind)), None)
    words = next((get_args(part) for part in parts if get_origin(part) is Literal), (None,))
    example = _example(path, kind.example if kind else words[-1])
    return Key(
        path,
        takes,
        _default(field, parts),
        _change(field),
        _description(field),
        example,
        field.is_required(),
        below,
    )


def _names(block: type[BaseModel]) -> tuple[str, ...]:
    return tuple(field.alias or name for name, field in block.model_fields.items())


def _parts(annotation: Any, metadata: Iterable[Any]) -> Iterator[Any]:
    """What a value can be: blocks, maps, lists, words, and the kinds of scalars in place of their types."""
    kinds = [one for one in metadata if isinstance(one, Kind)]
    if kinds:
        yield kinds[0]
    elif get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        yield from _parts(inner, more)
    elif get_origin(annotation) in (Union, UnionType):
        for part in get_args(annotation):
            yield from _parts(part, [])
    elif annotation is not type(None):
        yield annotation


def _words(part: Any) -> str:
    if isinstance(part, Kind):
        return part.words
    if _is_block(part):
        return "a map of keys"
    if get_origin(part) is dict:
        return "a map of names"
    if get_origin(part) is tuple:
        inner = next(_parts(get_args(part)[0], []))
        return "a list of maps" if _is_block(inner) else f"a list; each is {_words(inner)}"
    return f"one of {', '.join(map(str, get_args(part)))}"


def _default(field: FieldInfo, parts: list[Any]) -> str | None:
    """A default as the file would write it; None for a block and for what is off without a value."""
    value = field.default
    if field.is_required() or value is None or isinstance(value, BaseModel | dict | tuple):
        return None
    kind = next((part.words for part in parts if isinstance(part, Kind)), "")
    if isinstance(value, bool):
        return str(value).lower()
    if kind.startswith("a duration"):
        return units.words(value)
    return format_size(value) if kind.startswith("a size") else str(value)


def _example(path: str, otherwise: str | None) -> str | None:
    """The example of the longest end of the path that has one."""
    steps = path.split(".")
    ends = (".".join(steps[at:]) for at in range(len(steps)))
    return next((_EXAMPLES[end] for end in ends if end in _EXAMPLES), otherwise)


def _is_block(part: Any) -> bool:
    return isinstance(part, type) and issubclass(part, BaseModel)


def _change(field: FieldInfo) -> Change:
    extra = field.json_schema_extra
    return extra["x-reload"]  # type: ignore[index, return-value]


def _description(field: FieldInfo) -> str:
    return _line(field.description or "")


def _line(text: str) -> str:
    return re.sub(r"\s+", " ", text.strip())
