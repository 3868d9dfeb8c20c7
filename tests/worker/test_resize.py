"""Slots become more and fewer while they serve, and no job feels it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.job import Job
from pipeline.worker.slots import LoopSlots, ThreadSlots, unused
from tests.worker.desk import Desk, ends, jobs
from tests.worker.shop import PATIENCE, serving, until

# --- more slots, and fewer -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("taken", "wanted", "new"),
    [([], 3, [1, 3, 5]), ([1, 3], 3, [5]), ([3, 7], 4, [1, 5]), ([1, 3, 5], 2, []), ([9], 1, [])],
)
def test_new_slots_get_the_lowest_numbers_that_are_free(
    taken: list[int], wanted: int, new: list[int]
) -> None:
    assert unused(taken, 1, 2, wanted) == new


def waits(gate: threading.Event, kind: type[LoopSlots | ThreadSlots]) -> Callable[[Job[Any]], Any]:
    async def on_loop(job: Job[Any]) -> None:
        while not gate.is_set():  # noqa: ASYNC110 - the gate is one for threads, too
            await asyncio.sleep(0.001)

    def in_thread(job: Job[Any]) -> None:
        gate.wait(PATIENCE)

    return on_loop if kind is LoopSlots else in_thread


KINDS = pytest.mark.parametrize("kind", [LoopSlots, ThreadSlots])


@KINDS
async def test_idle_slots_that_are_too_many_end_at_once(kind: type[LoopSlots | ThreadSlots]) -> None:
    desk = Desk({str(n): waits(threading.Event(), kind) for n in range(5)})
    slots = kind(desk, 40)
    await until(lambda: len(desk.idles) == 40)
    slots.resize(2)
    assert slots.drain() == []
    await until(lambda: len(serving(slots)) == 2)
    assert len(slots) == 0


@KINDS
async def test_busy_slots_that_are_too_many_end_after_their_jobs(kind: type[LoopSlots | ThreadSlots]) -> None:
    gate = threading.Event()
    desk = Desk({str(n): waits(gate, kind) for n in range(8)})
    slots = kind(desk, 4)
    slots.add(jobs(*(str(n) for n in range(4))))
    await until(lambda: len(desk.begun) == 4)
    slots.resize(1)
    slots.add(jobs("4", "5", "6", "7"))
    assert (len(serving(slots)), len(slots)) == (4, 4)
    gate.set()
    assert len(await ends(desk, 8)) == 8
    await until(lambda: len(serving(slots)) == 1)
    assert len(slots) == 0


@KINDS
async def test_slots_that_were_too_many_for_a_moment_stay(kind: type[LoopSlots | ThreadSlots]) -> None:
    gate = threading.Event()
    desk = Desk({str(n): waits(gate, kind) for n in range(12)})
    slots = kind(desk, 4)
    slots.add(jobs(*(str(n) for n in range(4))))
    await until(lambda: len(desk.begun) == 4)
    before = serving(slots)
    slots.resize(1)
    slots.resize(6)
    slots.add(jobs(*(str(n) for n in range(4, 12))))
    await until(lambda: len(desk.begun) == 6)
    assert before < serving(slots)
    assert len(serving(slots)) == 6
    gate.set()
    assert len(await ends(desk, 12)) == 12


@KINDS
async def test_jobs_that_are_taken_back_keep_no_slot_that_is_too_many(
    kind: type[LoopSlots | ThreadSlots],
) -> None:
    gate = threading.Event()
    desk = Desk({str(n): waits(gate, kind) for n in range(5)})
    slots = kind(desk, 3)
    slots.add(jobs("0", "1", "2", "3", "4"))
    await until(lambda: len(desk.begun) == 3)
    slots.resize(1)
    assert [job.id for job in slots.drain()] == [b"3", b"4"]
    assert (len(slots), slots.drain()) == (0, [])
    slots.add(jobs("3"))
    assert (len(slots), [job.id for job in slots.drain()]) == (1, [b"3"])
    gate.set()
    await ends(desk, 3)
    await until(lambda: len(serving(slots)) == 1)
    slots.add(jobs("3", "4"))
    assert len(await ends(desk, 2)) == 2


async def test_slots_that_come_and_go_amid_jobs_run_each_once(hasty_threads: None) -> None:
    count = 2_000
    desk = Desk({str(n): (lambda job: None) for n in range(count)})
    slots = ThreadSlots(desk, 4)
    for start in range(0, count, 20):
        slots.add(jobs(*(str(n) for n in range(start, start + 20))))
        slots.resize(1 + start // 20 % 7)
        slots.add(slots.drain())
    assert len(await ends(desk, count)) == count
    assert desk.ends.empty()
    slots.resize(3)
    await until(lambda: len(serving(slots)) == 3)
    assert len(slots) == 0
