"""What every block of the config is made of."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Change = Literal["hot", "rolling", "restart"]


class Block(BaseModel):
    """A map with fixed keys."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)


def optional(change: Change, description: str, default: Any = None, *, alias: str | None = None) -> Any:
    """A key that need not be given, with its class of change."""
    return Field(default, alias=alias, description=description, json_schema_extra={"x-reload": change})


def required(change: Change, description: str) -> Any:
    """A key that must be given, with its class of change."""
    return Field(description=description, json_schema_extra={"x-reload": change})


def kind_of(value: Any) -> str:
    """The tag of a value that may be a map or a scalar."""
    return "map" if isinstance(value, dict) else "scalar"
