"""How findings look, as text and as JSON."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipeline.config.findings import as_json, redact, render
from pipeline.config.load import Loaded

Load = Callable[..., Loaded]


TEXT = "name: shop\nqueues:\n  emails: {handler: 'm:f', concurency: 5}\n"


def test_text_has_the_place_the_line_a_caret_and_help(loaded: Load) -> None:
    (found,) = loaded(TEXT).findings
    assert render([found]).replace(found.file, "FILE").splitlines() == [
        "FILE:3:28: error[P101]: unknown key 'concurency'",
        " 3 |   emails: {handler: 'm:f', concurency: 5}",
        "   |                            ^^^^^^^^^^",
        "  help: did you mean 'concurrency'?",
    ]
    assert "\x1b[1;31m" in render([found], color=True)


def test_json_has_exactly_this_shape(loaded: Load) -> None:
    (found,) = loaded(TEXT).findings
    assert as_json([found]) == {
        "valid": False,
        "error_count": 1,
        "warning_count": 0,
        "diagnostics": [
            {
                "severity": "error",
                "code": "P101",
                "message": "unknown key 'concurency'",
                "help": "did you mean 'concurrency'?",
                "path": "queues.emails.concurency",
                "range": {"file": found.file, "line": 3, "column": 28},
            }
        ],
    }


def test_a_long_line_is_cut_around_the_caret(loaded: Load) -> None:
    (found,) = loaded(
        f"name: shop\nqueues: {{a: {{handler: 'm:f', x-a: {'y' * 500}, pausd: true}}}}\n"
    ).findings
    _, source, caret, _ = render([found]).splitlines()
    assert len(source) < 160
    assert source[caret.index("^") : caret.rindex("^") + 1] == "pausd"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("redis://:pw@host", "redis://:***@host"),
        ("url: redis://user:p@ss:w@host:1/0 # x", "url: redis://user:***@host:1/0 # x"),
        ("redis://user:${PASSWORD}@host", "redis://user:${PASSWORD}@host"),
        ("redis://user:${PASSWORD:?required}@host", "redis://user:${PASSWORD:?required}@host"),
        ("redis://user:${PASSWORD:-pw}@host", "redis://user:***@host"),
        ("redis://host/0?password=pw&x=1", "redis://host/0?password=***&x=1"),
        ("redis://host:6379/0", "redis://host:6379/0"),
    ],
)
def test_passwords_are_hidden_and_references_stay(text: str, shown: str) -> None:
    assert redact(text) == shown
