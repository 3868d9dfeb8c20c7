"""Every key can be explained: what it takes, its default, its class of change, an example that works."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from pipeline.config.block import Block
from pipeline.config.keys import Key, classes, find, keys, near_path
from pipeline.config.load import Loaded

BASE = {"name": "shop", "queues": {"emails": {"handler": "m:f"}}}
FLOW = {"flows": {"emails": {"steps": {"emails": {"queue": "emails", "job": "send"}}}}}


def _blocks(kind: type[BaseModel] = Block) -> Iterator[type[BaseModel]]:
    for block in kind.__subclasses__():
        yield block
        yield from _blocks(block)


def test_every_field_of_every_block_has_its_class_of_change() -> None:
    without = [
        f"{block.__name__}.{name}"
        for block in _blocks()
        for name, field in block.model_fields.items()
        if not isinstance(field.json_schema_extra, dict)
        or field.json_schema_extra.get("x-reload") not in ("hot", "rolling", "restart")
    ]
    assert without == []


def test_the_classes_are_those_of_the_contract() -> None:
    found = classes()
    rolling = ("handler", "executor", "pool", "recycle", "recycle.max_age", "jobs.*.handler")
    hot = (
        "concurrency",
        "processes",
        "max_active",
        "retry",
        "timeout",
        "priority",
        "deduplication",
        "retention",
    )
    assert {found[f"queues.*.{key}"] for key in rolling} | {found["setup"]} == {"rolling"}
    assert {found[f"queues.*.{key}"] for key in hot} == {"hot"}
    assert {found[key] for key in ("name", "broker", "broker.url", "broker.durability")} == {"restart"}
    assert {found[key] for key in ("supervisor.reload", "supervisor.reload.interval")} == {"hot"}


@pytest.mark.parametrize("key", keys().values(), ids=lambda key: key.path)
def test_every_key_tells_what_it_takes(key: Key) -> None:
    assert key.takes
    assert key.description.endswith((".", "://", "redis:// or unix://"))
    assert key.example or key.takes in ("a map of names", "a list of maps")


def _placed(steps: list[str], value: Any) -> Any:
    """`value` at a path of the config; a list holds it where the path says so."""
    if not steps:
        return value
    if steps[0] == "tests" and len(steps) > 1:
        return {"tests": [_placed(steps[2:], value)]}
    return {steps[0].replace("*", "emails"): _placed(steps[1:], value)}


def _merged(a: Any, b: Any) -> Any:
    if not isinstance(a, dict) or not isinstance(b, dict):
        return b
    return {key: _merged(a.get(key), b.get(key, a.get(key))) for key in {**a, **b}}


@pytest.mark.parametrize("key", [key for key in keys().values() if key.example], ids=lambda key: key.path)
def test_every_example_is_a_value_of_its_key(key: Key, loaded: Callable[..., Loaded]) -> None:
    value = yaml.safe_load(key.example or "")
    text = yaml.safe_dump(_merged(BASE, _placed(key.path.split("."), value)), sort_keys=False)
    # What its neighbours should be, and which names there are, is not this key's concern.
    assert [
        one for one in loaded(text).findings if one.code in ("P101", *(f"P{n}" for n in range(103, 115)))
    ] == []


def test_every_default_is_a_value_of_its_key(loaded: Callable[..., Loaded]) -> None:
    for key in keys().values():
        if key.default is not None:
            value = yaml.safe_load(key.default)
            text = yaml.safe_dump(
                _merged(
                    BASE | FLOW if key.path.startswith("flows") else BASE, _placed(key.path.split("."), value)
                ),
                sort_keys=False,
            )
            found = [
                one.message for one in loaded(text).findings if one.code[:2] == "P1" and one.code != "P102"
            ]
            assert found == [], key


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("queues.emails.retrry", "queues.emails.retry"),
        ("supervisr.reload", "supervisor.reload"),
        ("retrys.a.backof.dealy", "retries.a.backoff.delay"),
        ("supervisor.interval", "supervisor.reload.interval"),
        ("concurency", "defaults.concurrency"),
        ("frobnicate", None),
    ],
)
def test_a_path_that_is_not_there_has_a_near_one(path: str, meant: str | None) -> None:
    steps = tuple(path.split("."))
    assert find(steps) is None
    assert near_path(steps) == meant


def test_a_name_may_look_like_a_key() -> None:
    key = find(("queues", "retry", "jobs", "timeout", "timeout", "soft"))
    assert key is not None
    assert key.path == "queues.*.jobs.*.timeout.soft"
