"""Not by chance: every interleaving of a world that is small enough."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.simulator.defects import DEFECTS
from tests.simulator.exhaustive import LOSSES, Search
from tests.simulator.places import Violation
from tests.simulator.server import Server
from tests.simulator.small import Budget

WHOLE = bool(os.environ.get("PIPELINE_SIM_EXHAUSTIVE"))
# Two jobs wait when the workers come; or both workers are parked when the jobs come.
WAITING, PARKED = ("p1", "p1", "w1", "w2"), ("w1", "w2", "w1", "w2")


@pytest.fixture
def simulated(broker: str) -> Iterator[Server]:
    """The server of the test process, under the world's clock."""
    with Server(broker) as server:
        yield server


def search(
    server: Server, budget: Budget, prologue: tuple[str, ...], losses: tuple[str, ...] = LOSSES
) -> Search:
    """A search that went through everything. Raises Violation."""
    whole = Search(server, budget, prologue, losses)
    whole.run()
    print(f"{budget}: {whole.states} states, {whole.steps} steps, {whole.ends} ends")
    return whole


@pytest.mark.timeout(300)
@pytest.mark.parametrize("prologue", [WAITING, PARKED])
@pytest.mark.parametrize("budget", [Budget(1, 1, 0), Budget(1, 0, 1)])
def test_no_interleaving_of_two_troubles_breaks_a_promise(
    simulated: Server, budget: Budget, prologue: tuple[str, ...]
) -> None:
    assert search(simulated, budget, prologue).ends > 50


@pytest.mark.world
@pytest.mark.skipif(not WHOLE, reason="takes 8 minutes: PIPELINE_SIM_EXHAUSTIVE=1")
@pytest.mark.timeout(7_200)
@pytest.mark.parametrize("prologue", [WAITING, PARKED])
def test_no_interleaving_of_a_crash_an_end_of_a_lease_and_a_lost_answer_breaks_a_promise(
    simulated: Server, prologue: tuple[str, ...]
) -> None:
    # Only the answer is lost: with commands that come late, or never, this would take hours.
    assert search(simulated, Budget(1, 1, 1), prologue, ("answer",)).ends > 1_000


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("rule", "budget", "prologue"),
    [
        ("a worker that was reclaimed goes on", Budget(1, 1, 0), WAITING),
        ("an old turn is carried out", Budget(0, 0, 1), WAITING),
        ("a letter that was lost is not noticed", Budget(0, 0, 1), PARKED),
        ("a repeated enqueue adds a job", Budget(0, 0, 1), ()),
    ],
)
def test_the_search_finds_a_broken_rule(
    broker: str, rule: str, budget: Budget, prologue: tuple[str, ...]
) -> None:
    with Server(broker, DEFECTS[rule]) as server, pytest.raises(Violation):
        search(server, budget, prologue)
