"""A field of flows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.flows.field import CHECKOUT, Field


@pytest.fixture
def field(broker: str) -> Iterator[Field]:
    field = Field(broker)
    field.declare(CHECKOUT)
    yield field
    field.connection.close()
