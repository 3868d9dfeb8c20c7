"""Plans of documents that differ in one key."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from msgspec.structs import replace

from pipeline.config.load import load
from pipeline.diff import diff
from pipeline.plan import Plan

Document = dict[str, Any]
NOTHING: Any = object()

BASE: Document = {
    "name": "shop",
    "broker": {"url": "redis://queue"},
    "alerts": {"oncall": {"url": "https://a"}, "pager": {"command": ["page"]}},
    "pools": {"small": {"processes": 1}},
    "queues": {
        "emails": {"handler": "hands:send", "jobs": {"receipt": {}, "reset": {"priority": 5}}},
        "payments": {
            "jobs": {"capture": {"handler": "hands:capture"}, "refund": {"handler": "hands:refund"}}
        },
        "a": {"handler": "hands:a", "pool": "small"},
        "b": {"handler": "hands:b", "pool": "small"},
    },
    "schedules": {"tidy": {"queue": "a", "job": "tidy", "every": "5m"}},
}


def plan_of(document: Document) -> Plan:
    """The plan of a document that has no error."""
    with TemporaryDirectory() as folder:
        for name in ("one", "two"):
            Path(folder, f"{name}.json").write_text(json.dumps({"title": name}))
        file = Path(folder, "shop.yaml")
        file.write_text(json.dumps(document))
        loaded = load(file, env={"LOGIN": "redis://cache.internal"})
    assert loaded.plan is not None, [finding.message for finding in loaded.findings]
    return replace(loaded.plan, file="", root="")


def edited(path: str, value: Any, document: Document = BASE) -> Document:
    """The document with one key set, or without it."""
    document = copy.deepcopy(document)
    *blocks, last = path.split(".")
    node = document
    for block in blocks:
        node = node.setdefault(block, {}) if isinstance(node.get(block, {}), dict) else {}
    if value is NOTHING:
        node.pop(last, None)
    else:
        node[last] = value
    return document


def lines(old: Plan, new: Plan) -> list[str]:
    return [str(change) for change in diff(old, new)]
