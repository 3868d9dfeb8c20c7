"""A template that the file may hold is one that can be filled in."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipeline.config.load import Loaded
from pipeline.template import render

Load = Callable[..., Loaded]
ROOTS = {"name": "capture", "queue": "payments", "data": {"id": 7, "items": [{"sku-1": "x"}]}}


def findings(loaded: Load, template: str) -> list[str]:
    key = template.replace("'", "''")
    text = f"name: s\nqueues: {{a: {{handler: 'm:f', deduplication: {{key: '{key}'}}}}}}\n"
    return [finding.code for finding in loaded(text).findings]


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{data.id}", "7"),
        ("{queue}/{name}-{data.items.0.sku-1}", "payments/capture-x"),
        ("{data.nothing?}", None),
        ("the same for all", "the same for all"),
    ],
)
def test_what_the_file_may_hold_can_be_filled_in(loaded: Load, template: str, text: str | None) -> None:
    assert findings(loaded, template) == []
    assert render(template, ROOTS) == text


@pytest.mark.security("S5")
@pytest.mark.parametrize(
    "template",
    [
        "",
        "{data}",
        "{data.}",
        "{data..x}",
        "{data.a b}",
        "{data.a:b}",
        "{other.x}",
        "{data.x",
        "x}",
        "{}",
        "{{data.x}}",
    ],
)
def test_all_else_is_refused(loaded: Load, template: str) -> None:
    assert findings(loaded, template) == ["P114"]
