"""How long a pool waits after a failure, and when it is given up."""

from __future__ import annotations

import asyncio

import pytest

from pipeline.plan import RestartPlan
from pipeline.supervisor.restarts import BARREN_DEATHS, FATAL_RETRY_MS, Restarts


@pytest.fixture
def over():
    return asyncio.Event()


@pytest.fixture
async def restarts(over):
    restarts = Restarts(RestartPlan(delay=100, max=450, give_up_after=3), over.set)
    yield restarts
    restarts.cancel()


async def test_each_failure_in_a_row_doubles_the_pause_up_to_a_limit(restarts):
    for about in (100, 200, 400, 450, 450):
        restarts.failed()
        assert about * 0.8 <= restarts.back_off() <= about * 1.2


async def test_pauses_are_not_all_the_same_length(restarts):
    restarts.failed()
    assert len({restarts.back_off() for _ in range(20)}) > 3


async def test_after_a_pause_another_try_is_made_once(restarts, over):
    restarts.rules = RestartPlan(delay=5)
    restarts.failed()
    restarts.back_off()
    assert restarts.waits
    await asyncio.wait_for(over.wait(), 2)
    assert not restarts.waits


async def test_a_pause_that_is_cancelled_or_over_leads_to_no_try(restarts, over):
    restarts.rules = RestartPlan(delay=5)
    restarts.failed()
    restarts.back_off()
    restarts.back_off()
    restarts.clear()
    assert (restarts.waits, restarts.failures) == (False, 0)
    await asyncio.sleep(0.03)
    assert not over.is_set()


async def test_so_many_failures_in_a_row_are_hopeless(restarts):
    hopeless = []
    for _ in range(3):
        restarts.failed()
        hopeless.append(restarts.hopeless)
    assert hopeless == [False, False, True]


async def test_after_giving_up_there_is_one_try_and_then_it_is_hopeless_again(restarts):
    assert restarts.give_up() == FATAL_RETRY_MS
    assert (restarts.waits, restarts.hopeless) == (True, False)
    restarts.failed()
    assert restarts.hopeless


async def test_deaths_in_a_row_without_a_job_between_them_are_barren(restarts):
    assert [restarts.is_barren(0) for _ in range(BARREN_DEATHS)] == [False] * (BARREN_DEATHS - 1) + [True]


async def test_a_job_that_ended_begins_the_count_anew(restarts):
    for _ in range(BARREN_DEATHS - 1):
        restarts.is_barren(0)
    assert [restarts.is_barren(1) for _ in range(BARREN_DEATHS)] == [False] * (BARREN_DEATHS - 1) + [True]


async def test_after_giving_up_one_more_barren_death_is_enough(restarts):
    restarts.is_barren(0)
    restarts.give_up()
    assert restarts.is_barren(0)
