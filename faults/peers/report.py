"""The report: a table a fault."""

from pathlib import Path


def render(results: Path) -> str:
    return str(results)
