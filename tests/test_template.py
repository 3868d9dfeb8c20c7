"""Templates: text with fields of the payload in it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.template import fill, render

ROOTS = {
    "name": "capture",
    "data": {
        "sku": "A-1",
        "count": 3,
        "paid": True,
        "none": None,
        "price": 1.5,
        "items": [{"id": 7}, {"id": 8}],
        "dash-ed": "d",
        "empty": "",
    },
}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("plain", "plain"),
        ("", ""),
        ("{data.sku}", "A-1"),
        ("{name}:{data.sku}/{data.count}", "capture:A-1/3"),
        ("{data.paid}", "true"),
        ("{data.items.1.id}", "8"),
        ("{data.dash-ed}", "d"),
        ("{data.empty}", ""),
        ("a{{data.sku}}", "a{A-1}"),
        ("{ data.sku }", "{ data.sku }"),
        ("{data.sku?}", "A-1"),
    ],
)
def test_fields_are_filled_in(template: str, text: str) -> None:
    assert render(template, ROOTS) == text


@pytest.mark.parametrize(
    "path", ["data.x", "data.none", "data.items.2.id", "data.sku.0", "data.items.a", "header.x"]
)
def test_a_missing_field_is_named(path: str) -> None:
    with pytest.raises(LookupError, match=rf"\{{{path}\}} is missing"):
        render(f"key:{{{path}}}", ROOTS)


@pytest.mark.parametrize("path", ["data.x", "data.none", "data.items.2.id", "data.sku.0"])
def test_where_a_field_may_be_missing_there_is_no_text_without_it(path: str) -> None:
    assert render(f"key:{{{path}?}}", ROOTS) is None


@pytest.mark.parametrize("path", ["data.items", "data.price", "data", "data.items.0", "data.price?"])
def test_only_strings_integers_and_booleans_can_stand_in_text(path: str) -> None:
    with pytest.raises(LookupError, match="is not a string, an integer or a boolean"):
        render(f"{{{path}}}", ROOTS)


@given(st.text() | st.integers() | st.booleans())
def test_a_value_stands_as_it_is(value: Any) -> None:
    said = str(value).lower() if isinstance(value, bool) else str(value)
    assert render("<{data}>", {"data": value}) == f"<{said}>"


@given(st.text().filter(lambda text: "{" not in text))
def test_text_without_fields_stays_as_it_is(text: str) -> None:
    assert render(text, {}) == text


@pytest.mark.parametrize(
    ("value", "filled"),
    [
        ("{data.items}", [{"id": 7}, {"id": 8}]),
        ("{data.none}", None),
        ("{data.missing?}", None),
        ("{data.sku}/{data.count}", "A-1/3"),
        ({"a": ["{data.price}", 1], "b": None}, {"a": [1.5, 1], "b": None}),
    ],
)
def test_a_field_alone_becomes_what_stands_there(value: Any, filled: Any) -> None:
    assert fill(value, ROOTS) == filled


def test_a_missing_field_of_a_value_is_named() -> None:
    with pytest.raises(LookupError, match=r"\{data.missing\} is missing"):
        fill({"a": "{data.missing}"}, ROOTS)
