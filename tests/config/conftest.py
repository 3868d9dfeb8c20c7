"""Configs that a test writes and loads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from pipeline.config.load import Loaded, load
from pipeline.plan import Plan

Write = Callable[[str], Path]
Load = Callable[..., Loaded]
LoadPlan = Callable[..., Plan]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes text to `configs/shop.yaml` of a fresh project."""

    def to_file(text: str) -> Path:
        file = tmp_path / "configs" / "shop.yaml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, "utf-8")
        return file

    return to_file


@pytest.fixture
def loaded(write: Write) -> Load:
    """Loads text as a config, with the environment given."""
    return lambda text, env=None: load(write(text), env=env or {})


@pytest.fixture
def plan(loaded: Load) -> LoadPlan:
    """The plan of a text that must have no error."""

    def without_error(text: str, env: Mapping[str, str] | None = None) -> Plan:
        result = loaded(text, env)
        assert result.plan is not None, [finding.message for finding in result.findings]
        return result.plan

    return without_error
