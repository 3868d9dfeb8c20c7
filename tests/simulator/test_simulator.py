"""Many short histories with everything that can go wrong, each replayable from its seed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.simulator.defects import DEFECTS
from tests.simulator.history import play, schedule
from tests.simulator.model import Visit
from tests.simulator.places import Violation
from tests.simulator.server import Server
from tests.simulator.visits import POSSIBLE, grouped

SECONDS = float(os.environ.get("PIPELINE_SIM_SECONDS", "20"))
FIRST_SEED = int(os.environ.get("PIPELINE_SIM_SEED", "1"))
APART = 10_000_000
BITES = (
    "answer",
    "command",
    "late",
    "killed",
    "poisoned",
    "host killed",
    "frozen",
    "time passed",
    "clock back",
    "clock forward",
    "scripts flushed",
    "rolled back",
    "reclaimed",
    "gone",
    "removed",
)


@pytest.fixture
def simulated(broker: str) -> Iterator[Server]:
    """The server of the test process, under the world's clock."""
    with Server(broker) as server:
        yield server


@pytest.mark.timeout(SECONDS + 60)
@pytest.mark.parametrize("part", range(3))
def test_every_accepted_job_ends_exactly_once(simulated: Server, part: int) -> None:
    """Whatever is lost, late, killed, frozen, forgotten, set back: after each step the server has what it should."""
    faults: Counter[str] = Counter()
    end, seed = time.monotonic() + SECONDS, FIRST_SEED + part * APART
    while time.monotonic() < end:
        faults += play(simulated, seed).faults
        seed += 1
    missing = set(BITES) - faults.keys()
    assert not missing, f"these never happened: {missing}"


def test_every_move_is_carried_out_from_every_state_that_it_can_be(simulated: Server) -> None:
    possible = frozenset(visit for visit in POSSIBLE if visit[2])
    visited = visit(simulated, possible, histories=2_000)
    assert {visit for visit in visited if visit[2]} == possible


@pytest.mark.world
@pytest.mark.timeout(3600)
def test_every_move_is_refused_in_every_state_that_it_can_be(simulated: Server) -> None:
    assert visit(simulated, POSSIBLE, histories=20_000) == POSSIBLE


def visit(server: Server, wanted: frozenset[Visit], histories: int) -> set[Visit]:
    """Which moves met which states, in as many histories as it takes to see those that are wanted."""
    visited: Counter[Visit] = Counter()
    for seed in range(1, histories):
        visited += grouped(play(server, seed).model.visited)
        if visited.keys() >= wanted:
            break
    return set(visited)


@pytest.mark.parametrize("seed", [3, 44, 312])
def test_a_seed_gives_the_same_history_on_another_server_too(simulated: Server, seed: int) -> None:
    command = [sys.executable, "-m", "tests.simulator", "--seed", str(seed)]
    environment = {**os.environ, "PYTHONHASHSEED": str(seed)}
    other = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    here = schedule(play(simulated, seed, remember=None))
    assert here.count("\n") > 20
    assert other.stdout == here + "\n"


def test_a_violation_tells_the_schedule_and_how_to_see_it_again(broker: str) -> None:
    with Server(broker, DEFECTS["stale entries are run"]) as server, pytest.raises(Violation) as told:
        visit(server, POSSIBLE, histories=100)
    first, *steps = str(told.value).splitlines()
    assert re.match(r"seed \d+: .* \(python -m tests.simulator --seed \d+\)$", first)
    assert any(re.match(r" +-?\d+  (h\d-w\d+) +turn \1 \d+ ", step) for step in steps)
