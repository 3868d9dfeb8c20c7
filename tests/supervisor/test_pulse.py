"""Standstills: of this process, which then speaks to nobody before its workers are dead; and of the broker."""

from __future__ import annotations

import asyncio
import time

from pipeline.clock import boot_ms
from pipeline.supervisor.pulse import Pulse, Trust

LEASE, OURS = 300, 1_000
HERE, THERE = object(), object()


async def oversleeps(renewed_before: float, sleeps: float) -> list[str]:
    """What happens, in order, around a standstill: the pulse, and another part of the loop that wants to speak."""
    happened: list[str] = []
    pulse = Pulse(lambda: OURS, lambda slept: happened.append("fence"))
    pulse.tick()
    speaker = asyncio.get_running_loop().create_future()
    speaker.add_done_callback(lambda _: happened.append("speak"))
    await asyncio.sleep(0.3)
    pulse.renewed = boot_ms() - int(renewed_before * 1000)
    asyncio.get_running_loop().call_later(0.26, speaker.set_result, None)
    time.sleep(sleeps)  # noqa: ASYNC251 - this is what it is about
    await speaker
    await asyncio.sleep(0.3)
    return happened


async def test_who_overslept_the_leases_fences_before_it_speaks() -> None:
    assert await oversleeps(0, 1.2) == ["fence", "speak"]


async def test_a_short_standstill_is_none() -> None:
    assert await oversleeps(0, 0.3) == ["speak"]


async def test_being_awake_without_a_broker_for_longer_than_a_lease_is_no_standstill() -> None:
    assert await oversleeps(10, 0) == ["speak"]


def looks(trust: Trust, *given: tuple[object, int, float], took: int = 0) -> list[tuple[bool, bool]]:
    """What `look` says, given connections, the server's time beside ours, and pauses before."""
    said = []
    for source, offset, pause in given:
        time.sleep(pause)
        said.append(trust.look(source, boot_ms() + offset, took, LEASE))
    return said


def test_ends_of_leases_count_once_a_connection_has_stood_for_the_time_of_one() -> None:
    lines: list[str] = []
    trust = Trust(lines.append)
    early, late, other = looks(trust, (HERE, 0, 0), (HERE, 0, 0.31), (THERE, 0, 0))
    assert (early, late, other) == ((False, True), (True, False), (False, True))
    assert lines == []


def test_after_a_gap_of_our_own_holders_get_the_time_of_a_lease_again() -> None:
    trust = Trust(lambda line: None)
    looks(trust, (HERE, 0, 0), (HERE, 0, 0.31))
    assert looks(trust, (HERE, 0, 2.6), (HERE, 0, 0.31)) == [(False, False), (True, False)]


def test_a_clock_that_jumps_is_told_and_costs_nobody_a_lease() -> None:
    lines: list[str] = []
    trust = Trust(lines.append)
    looks(trust, (HERE, 0, 0), (HERE, 0, 0.31))
    assert looks(trust, (HERE, 3_600_000, 0), (HERE, 3_600_000, 0.31)) == [(False, False), (True, False)]
    assert looks(trust, (HERE, 0, 0)) == [(False, True)]
    assert lines == [
        "the clock of the broker went forward by 3600 s",
        "the clock of the broker went back by 3600 s",
    ]


def test_an_answer_that_was_late_is_no_clock_that_jumped() -> None:
    lines: list[str] = []
    trust = Trust(lines.append)
    looks(trust, (HERE, 0, 0), (HERE, 0, 0.31))
    assert looks(trust, (HERE, -1_500, 0), took=2_000) == [(True, False)]
    assert looks(trust, (HERE, 0, 0)) == [(True, False)]
    assert lines == []
