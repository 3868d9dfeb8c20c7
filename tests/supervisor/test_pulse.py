"""Standstills: of this process, which then speaks to nobody before its workers are dead; and of the broker."""

from __future__ import annotations

import asyncio
import time

from pipeline.clock import boot_ms
from pipeline.supervisor.pulse import Pulse, Trust, longest_gap

LEASE, OURS = 1_500, 1_000
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


def look(trust: Trust, source: object, offset: int = 0, took: int = 0) -> tuple[bool, bool]:
    """What it says of a connection, with the server's time beside ours."""
    return trust.look(source, boot_ms() + offset, took, LEASE)


def look_on(trust: Trust, source: object, offset: int = 0) -> tuple[bool, bool]:
    """What it says when it is asked again and again until ends count: a busy machine has gaps of its own."""
    for _ in range(LEASE // 10):
        time.sleep(0.1)
        said = look(trust, source, offset)
        if said[0]:
            break
    return said


def test_ends_of_leases_count_once_a_connection_has_stood_for_the_time_of_one() -> None:
    lines: list[str] = []
    trust = Trust(lines.append)
    assert look(trust, HERE) == (False, True)
    assert look_on(trust, HERE) == (True, False)
    assert look(trust, THERE) == (False, True)
    assert lines == []


def test_after_a_gap_of_our_own_holders_get_the_time_of_a_lease_again() -> None:
    trust = Trust(lambda line: None)
    look_on(trust, HERE)
    time.sleep(longest_gap(LEASE) / 1000 + 0.05)
    assert look(trust, HERE) == (False, False)
    assert look_on(trust, HERE) == (True, False)


def test_a_clock_that_jumps_is_told_and_costs_nobody_a_lease() -> None:
    lines: list[str] = []
    trust = Trust(lines.append)
    look_on(trust, HERE)
    assert look(trust, HERE, 3_600_000) == (False, False)
    assert look_on(trust, HERE, 3_600_000) == (True, False)
    assert look(trust, HERE) == (False, True)
    assert lines == [
        "the clock of the broker went forward by 3600 s",
        "the clock of the broker went back by 3600 s",
    ]


def test_an_answer_that_was_late_is_no_clock_that_jumped() -> None:
    lines: list[str] = []
    trust = Trust(lines.append)
    look_on(trust, HERE)
    assert look(trust, HERE, -1_500, took=2_000) == (True, False)
    assert look(trust, HERE) == (True, False)
    assert lines == []
