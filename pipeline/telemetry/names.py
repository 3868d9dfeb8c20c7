"""The names of OpenTelemetry's conventions for messaging, and our own where these have none."""

from __future__ import annotations

from typing import Any

SYSTEM = "pipeline"
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60, 300)
"""Seconds: those of the conventions, and more for jobs."""


def operation(name: str, type: str, queue: str) -> dict[str, Any]:
    """The attributes of every span and metric."""
    return {
        "messaging.system": SYSTEM,
        "messaging.operation.name": name,
        "messaging.operation.type": type,
        "messaging.destination.name": queue,
    }


def error_type(error: BaseException) -> str:
    """What an error is called: `module.Class`, and the bare name of a builtin."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
