"""Configs that a test writes and loads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

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


@pytest.fixture
def project(tmp_path: Path) -> Load:
    """Loads the first of several files, which are written by their paths in a fresh project."""

    def load_first(
        files: Mapping[str, str | bytes], env: Mapping[str, str] | None = None, **more: Any
    ) -> Loaded:
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(text.encode() if isinstance(text, str) else text)
        return load(tmp_path / next(iter(files)), env=env or {}, **more)

    return load_first
