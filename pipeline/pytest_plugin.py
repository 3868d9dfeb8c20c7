"""Fixtures for the tests of an app; pytest finds them by itself once the package is installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pipeline.trial import Trial


@pytest.fixture(name="pipeline_file")
def file_fixture() -> str | Path | None:
    """The config that the tests go by: write a fixture of this name to choose one. None: each client's own."""
    return None


@pytest.fixture(name="pipeline_inline")
def inline_fixture(pipeline_file: str | Path | None) -> Iterator[Trial]:
    """Jobs run when they are put in; see `pipeline.testing.inline`."""
    from pipeline.testing import inline

    with inline(pipeline_file) as trial:
        yield trial


@pytest.fixture(name="pipeline_recorded")
def recorded_fixture(pipeline_file: str | Path | None) -> Iterator[Trial]:
    """Jobs are kept and not run; see `pipeline.testing.recorded`."""
    from pipeline.testing import recorded

    with recorded(pipeline_file) as trial:
        yield trial
