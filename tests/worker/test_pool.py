"""A worker's pool on a real broker, in this process: turns, time limits, standstills, lost answers, the end."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from faults.proxy import Proxy
from pipeline import Discard, Job, RetryLater, SoftTimeout
from pipeline.broker import parse
from pipeline.errors import LeaseLost
from pipeline.policy import Backoff, RetryPolicy, Timeout
from pipeline.store import names
from pipeline.store.call import run_blocking
from pipeline.store.connect import connect_blocking
from pipeline.store.store import Move, Store
from tests.acl import by_admin
from tests.worker.shop import PATIENCE, shop, until

# --- how a job ends ------------------------------------------------------------------------------------


async def test_a_result_progress_and_logs_are_kept_with_the_job(broker: str) -> None:
    async def full(job: Job[Any]) -> dict[str, Any]:
        await job.progress(50)
        await job.log("charged")
        await job.log("and booked")
        return {"charge": job.data}

    async with shop(broker, full) as it:
        it.worker()
        job = await it.ends_as(await it.enqueue("full", "ch_1"), "completed")
        assert (job.result, job.progress, job.attempt) == ({"charge": "ch_1"}, 50, 1)
        assert job.logs == ["charged", "and booked"]
        assert job.enqueued_at <= job.started_at <= job.finished_at  # type: ignore[operator]


async def test_a_plain_handler_keeps_notes_without_awaiting_them(broker: str) -> None:
    def plain(job: Job[Any]) -> int:
        job.log("in a thread")
        job.progress({"part": 1})
        return 7

    async with shop(broker, plain) as it:
        it.worker()
        job = await it.ends_as(await it.enqueue("plain"), "completed")
        assert (job.result, job.progress, job.logs) == (7, {"part": 1}, ["in a thread"])


async def test_the_first_note_on_a_server_that_does_not_have_the_script_yet_comes_before_the_end_of_its_job(
    broker: str,
) -> None:
    def plain(job: Job[Any]) -> None:
        job.log("first")

    async with shop(broker, plain) as it:
        by_admin(broker, "SCRIPT", "FLUSH")
        it.worker()
        assert (await it.ends_as(await it.enqueue("plain"), "completed")).logs == ["first"]
        assert (await it.counts()).stats.get("lost_leases", 0) == 0


async def test_a_failed_attempt_runs_again_until_none_is_left(broker: str) -> None:
    async def failing(job: Job[Any]) -> None:
        raise ValueError(f"attempt {job.attempt} of {job.attempts}")

    retry = RetryPolicy(attempts=3, backoff=Backoff("fixed", 20))
    async with shop(broker, failing, retry=retry) as it:
        it.worker()
        job = await it.ends_as(await it.enqueue("failing"), "dead")
        assert job.error is not None
        assert (job.error.type, job.error.message) == ("ValueError", "attempt 3 of 3")
        assert "raise ValueError" in str(job.error.traceback)
        assert [error.message for error in job.errors] == [f"attempt {n} of 3" for n in (1, 2, 3)]
        assert (await it.counts()).stats["failed"] == 3


async def test_discard_is_final_and_retry_later_costs_nothing(broker: str) -> None:
    async def wordy(job: Job[Any]) -> str:
        if job.data == "never":
            raise Discard("no such card")
        seen.append(job.attempt)
        if len(seen) < 3:
            raise RetryLater("30ms")
        return "at last"

    seen: list[int] = []
    async with shop(broker, wordy, retry=RetryPolicy(attempts=2, backoff=Backoff("fixed", 10))) as it:
        it.worker()
        dead = await it.ends_as(await it.enqueue("wordy", "never"), "dead")
        assert (dead.attempt, dead.error and dead.error.message) == (1, "no such card")
        assert (await it.ends_as(await it.enqueue("wordy"), "completed")).result == "at last"
        assert seen == [1, 1, 1]


async def test_what_json_cannot_hold_fails_the_attempt_with_advice(broker: str) -> None:
    async def odd(job: Job[Any]) -> object:
        return {1, object()}

    async with shop(broker, odd) as it:
        it.worker()
        job = await it.ends_as(await it.enqueue("odd"), "dead")
        assert job.error is not None
        assert "returned what JSON cannot hold" in job.error.message


async def test_async_and_plain_handlers_share_a_queue_and_its_concurrency(broker: str) -> None:
    running, most = set(), 0
    gate = threading.Event()

    def note(job: Job[Any]) -> None:
        nonlocal most
        running.add(job.id)
        most = max(most, len(running))

    async def on_loop(job: Job[Any]) -> None:
        note(job)
        while not gate.is_set():  # noqa: ASYNC110 - the gate is one for threads, too
            await asyncio.sleep(0.005)
        running.discard(job.id)

    def in_thread(job: Job[Any]) -> None:
        note(job)
        gate.wait(PATIENCE)
        running.discard(job.id)

    async with shop(broker, on_loop, in_thread, concurrency=4) as it:
        ids = [await it.enqueue(name) for name in ("on_loop", "in_thread") * 4]
        it.worker()
        await until(lambda: len(running) == 4)
        gate.set()
        for id in ids:
            await it.ends_as(id, "completed")
        assert most == 4


async def test_threads_that_begin_the_next_job_before_the_loop_heard_of_the_last_lose_none(
    broker: str,
) -> None:
    def quick(job: Job[Any]) -> None:
        ran.append(job.id)

    ran: list[str] = []
    async with shop(broker, quick, concurrency=4) as it:
        await it.client.enqueue_many("q", [("quick", None)] * 3_000)
        it.worker()
        async with asyncio.timeout(PATIENCE):
            while (await it.counts()).stats.get("completed", 0) < 3_000:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert len(ran) == len(set(ran)) == 3_000


async def test_a_job_that_did_not_begin_in_time_is_cancelled_and_says_so(broker: str) -> None:
    async def never(job: Job[Any]) -> None:
        raise AssertionError("it ran")

    async with shop(broker, never) as it:
        id = await it.enqueue("never", expires="1ms")
        await asyncio.sleep(0.01)
        it.worker()
        job = await it.ends_as(id, "cancelled")
        assert job.error is not None
        assert job.error.type == "Expired"


async def test_a_job_that_began_in_time_may_run_again_later(broker: str) -> None:
    async def once(job: Job[Any]) -> None:
        if job.attempt == 1:
            raise ValueError("not yet")

    async with shop(broker, once, retry=RetryPolicy(2, Backoff("fixed", 700))) as it:
        it.worker()
        job = await it.ends_as(await it.enqueue("once", expires="600ms"), "completed", "cancelled")
        assert (job.state, job.attempt) == ("completed", 2)


async def test_a_running_job_that_a_person_cancels_is_cancelled_at_once(broker: str) -> None:
    ends: list[str] = []

    async def long(job: Job[Any]) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ends.append("cleaned up")

    async with shop(broker, long, concurrency=1) as it:
        it.worker()
        id, other = await it.enqueue("long"), await it.enqueue("long")
        await it.ends_as(id, "active")
        began = time.monotonic()
        assert await it.cancel(id) == "active"
        await it.ends_as(id, "cancelled")
        assert time.monotonic() - began < 1
        assert ends == ["cleaned up"]
        await it.ends_as(other, "active")


async def test_a_plain_handler_hears_at_its_next_note_that_its_job_was_cancelled(broker: str) -> None:
    def long(job: Job[Any]) -> None:
        for _ in range(1000):
            job.progress(1)
            time.sleep(0.01)

    async with shop(broker, long) as it:
        it.worker()
        id = await it.enqueue("long")
        await it.ends_as(id, "active")
        await it.cancel(id)
        job = await it.ends_as(id, "cancelled", "completed", "dead")
        assert job.state == "cancelled"


async def test_a_job_that_is_cancelled_before_its_worker_begins_it_never_runs(broker: str) -> None:
    ran: list[str] = []

    free = threading.Event()

    def quick(job: Job[Any]) -> None:
        ran.append(job.id)
        free.wait(PATIENCE)  # the others wait in the buffer meanwhile

    async with shop(broker, quick, concurrency=1) as it:
        ids = [await it.enqueue("quick") for _ in range(4)]
        pool = it.worker()
        pool.ledger.pace = 0.001
        await it.ends_as(ids[-1], "active")
        await it.cancel(ids[-1])
        await it.ends_as(ids[-1], "cancelled")
        free.set()
        await it.ends_as(ids[-2], "completed")
        assert ids[-1] not in ran


async def test_a_cancelled_job_that_fails_does_not_run_again(broker: str) -> None:
    async def defiant(job: Job[Any]) -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise ValueError("no") from None

    async with shop(broker, defiant, retry=RetryPolicy(5)) as it:
        it.worker()
        id = await it.enqueue("defiant")
        await it.ends_as(id, "active")
        await it.cancel(id)
        assert (await it.ends_as(id, "cancelled", "dead")).state == "cancelled"


# --- time limits ---------------------------------------------------------------------------------------


async def test_a_hard_limit_cancels_an_async_handler_and_the_slot_serves_on(broker: str) -> None:
    async def slow(job: Job[Any]) -> None:
        if job.data == "slow":
            await asyncio.Event().wait()

    async with shop(broker, slow, timeout=Timeout(hard=100), concurrency=1) as it:
        it.worker()
        job = await it.ends_as(await it.enqueue("slow", "slow"), "dead")
        assert job.error is not None
        assert (job.error.type, job.error.message) == ("TimeoutError", "ran for more than 0.1 s")
        await it.ends_as(await it.enqueue("slow"), "completed")
        assert it.retired == []


@pytest.mark.parametrize("kind", ["async", "plain"])
async def test_a_soft_limit_raises_in_the_handler_which_may_clean_up(broker: str, kind: str) -> None:
    async def on_loop(job: Job[Any]) -> str:
        try:
            await asyncio.Event().wait()
        except SoftTimeout:
            return "cleaned up"
        return "never"

    def in_thread(job: Job[Any]) -> str:
        try:
            end = time.monotonic() + PATIENCE
            while time.monotonic() < end:
                pass
        except SoftTimeout:
            return "cleaned up"
        return "never"

    handler = on_loop if kind == "async" else in_thread
    async with shop(broker, handler, timeout=Timeout(soft=50, hard=60_000)) as it:
        it.worker()
        job = await it.ends_as(await it.enqueue(handler.__name__), "completed")
        assert job.result == "cleaned up"


async def test_a_thread_past_its_hard_limit_has_failed_and_its_process_is_replaced(broker: str) -> None:
    gate = threading.Event()

    def stuck(job: Job[Any]) -> None:
        gate.wait(PATIENCE)

    async with shop(broker, stuck, timeout=Timeout(hard=50)) as it:
        it.worker()
        job = await it.ends_as(await it.enqueue("stuck"), "dead")
        assert job.error is not None
        assert job.error.type == "TimeoutError"
        assert it.retired == [f"stuck {job.id} does not stop at its time limit"]
        gate.set()
        await asyncio.wait_for(it.ends[0], PATIENCE)


# --- who takes which job -------------------------------------------------------------------------------


async def test_no_job_waits_behind_a_slow_one_while_another_worker_idles(broker: str) -> None:
    """What was fetched ahead of a handler that turns out slow goes to a worker that has time."""
    gate = asyncio.Event()
    ran: list[Any] = []

    async def mixed(job: Job[Any]) -> None:
        if job.data == "slow":
            await gate.wait()
        ran.append(job.data)

    async with shop(broker, mixed, concurrency=1) as it:
        it.worker("w1")
        await it.client.enqueue_many("q", [("mixed", "warm up")] * 200)
        await until(lambda: len(ran) == 200)
        await it.client.enqueue_many("q", [("mixed", "slow"), *[("mixed", n) for n in range(20)]])
        it.worker("w2")
        await until(lambda: set(range(20)) <= set(ran))
        gate.set()


async def test_a_parked_worker_wakes_for_a_delayed_job(broker: str) -> None:
    async def noted(job: Job[Any]) -> None:
        pass

    async with shop(broker, noted) as it:
        it.worker()
        await it.ends_as(await it.enqueue("noted"), "completed")
        begun = time.monotonic()
        job = await it.ends_as(await it.enqueue("noted", delay="150ms"), "completed")
        assert 0.14 < time.monotonic() - begun < 2
        assert job.started_at is not None
        assert job.started_at - job.enqueued_at >= 149


async def test_a_letter_that_overtakes_the_answer_of_a_turn_is_not_forgotten(broker: str) -> None:
    """The turn had parked the worker when it was woken: nobody wakes it again, so it has to look by itself."""

    async def noted(job: Job[Any]) -> None:
        pass

    async with shop(broker, noted) as it:
        pool = it.worker()
        await until(lambda: pool._parked)
        pool.kick()
        while not pool._turning:  # noqa: ASYNC110
            await asyncio.sleep(0)
        before = pool._number
        pool._woken([b"inbox", [b""]])
        # It looks anyhow when its wait has ended, after 2 s.
        async with asyncio.timeout(1):
            while pool._number == before:  # noqa: ASYNC110
                await asyncio.sleep(0.005)


async def test_a_letter_that_comes_after_the_job_was_learned_otherwise_does_not_run_it_again(
    broker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a slow connection the broker may say what the worker holds before the letter is there."""
    ran: list[int] = []

    async def noted(job: Job[Any]) -> None:
        ran.append(job.data)

    async with shop(broker, noted) as it:
        pool = it.worker()
        await until(lambda: pool._parked)
        late: list[bytes] = []
        monkeypatch.setattr(pool, "_read", late.extend)
        await it.ends_as(await it.enqueue("noted", 1), "completed")
        assert late
        monkeypatch.undo()
        pool._read(late)
        await it.ends_as(await it.enqueue("noted", 2), "completed")
        assert ran == [1, 2]
        assert (await it.counts()).completed == 2


# --- lost answers and standstills ----------------------------------------------------------------------


async def test_a_turn_whose_answer_is_lost_settles_once_and_leaves_no_job_behind(broker: str) -> None:
    ran: list[int] = []

    async def counted(job: Job[Any]) -> None:
        ran.append(job.data)
        await asyncio.sleep(0.002)

    proxy = Proxy(broker)
    async with shop(broker, counted, concurrency=5) as it:
        it.worker(broker=proxy.url)
        for start in range(0, 400, 50):
            await it.client.enqueue_many("q", [("counted", n) for n in range(start, start + 50)])
            proxy.lose_replies(2)
            await asyncio.sleep(0.05)
        await until(lambda: len(ran) >= 400)
        counts = await it.counts()
        async with asyncio.timeout(PATIENCE):
            while counts.stats.get("completed", 0) < 400:
                await asyncio.sleep(0.02)
                counts = await it.counts()
        assert (sorted(ran), counts.active, counts.waiting) == (list(range(400)), 0, 0)
        assert counts.stats.get("lost_leases", 0) == 0
    proxy.close()


async def test_a_worker_that_stood_still_begins_nothing_that_was_given_to_others(broker: str) -> None:
    """Its loop is blocked while the supervisor takes back what it has not begun."""
    ran: list[str] = []

    async def blocking(job: Job[Any]) -> None:
        if job.data == "block":
            store = Store("shop", "q")
            time.sleep(1.2)  # noqa: ASYNC251 - a handler that blocks the loop is what this is about
            connection = connect_blocking(parse(broker))
            held = run_blocking(connection, store.expel("w1", "still")) or []
            moves = [Move("front", row.id, int(row.lease)) for row in held if row.id.decode() != job.id]
            taken.append(run_blocking(connection, store.reclaim("w1", moves)))
            connection.close()
        ran.append(job.id)

    taken: list[int] = []
    async with shop(broker, blocking, concurrency=1) as it:
        warm = await it.client.enqueue_many("q", [("blocking", None)] * 100)
        it.worker("w1")
        await until(lambda: len(ran) == len(warm))
        ids = [
            a.id
            for a in await it.client.enqueue_many("q", [("blocking", d) for d in ["block"] + [None] * 30])
        ]
        for id in ids:
            await it.ends_as(id, "completed")
        assert taken[0] > 0
        assert sorted(ran[100:]) == sorted(ids)
        assert (await it.counts()).stats.get("lost_leases", 0) == 0


# --- signs that a lease is lost, or that the broker is there ------------------------------------------------


async def test_a_handler_whose_note_is_refused_is_cancelled_and_its_job_runs_elsewhere(broker: str) -> None:
    begun, stopped = [0], asyncio.Event()

    async def slow(job: Job[Any]) -> None:
        begun[0] += 1
        if begun[0] == 2:
            return
        await asyncio.sleep(0.2)
        try:
            await job.progress(1)
            await asyncio.sleep(PATIENCE)
        except asyncio.CancelledError:
            stopped.set()
            raise

    # One slot: a worker that is not parked hears of nothing but its notes.
    async with shop(broker, slow, concurrency=1) as it:
        it.worker()
        id = await it.enqueue("slow")
        await until(lambda: it.pools[0]._running)
        (attempt,) = it.pools[0]._running.values()
        take_back(broker, "w1", id, attempt.lease)
        await it.ends_as(id, "completed")
        await stopped.wait()
        assert (await it.counts()).stats["lost_leases"] == 1


async def test_a_job_that_completes_after_its_lease_was_lost_is_not_counted_by_its_name(broker: str) -> None:
    gate = asyncio.Event()
    begun = []

    async def slow(job: Job[Any]) -> None:
        begun.append(job.id)
        if len(begun) == 1:
            await gate.wait()

    async with shop(broker, slow, concurrency=1) as it:
        it.worker()
        id = await it.enqueue("slow")
        await until(lambda: it.pools[0]._running)
        (attempt,) = it.pools[0]._running.values()
        take_back(broker, "w1", id, attempt.lease)
        gate.set()  # it ends, and does not count; then it runs again, and does
        await it.ends_as(id, "completed")
        await it.ends_as(await it.enqueue("slow"), "completed")
        counts = await it.counts()
        assert (counts.stats["completed"], counts.stats["lost_leases"]) == (2, 1)
        connection = connect_blocking(parse(broker))
        assert run_blocking(connection, names.ends("shop", "q")) == {("completed", "slow"): 2}
        connection.close()


async def test_a_plain_handler_is_told_by_its_next_note(broker: str) -> None:
    begun, raised = [0], list[str]()

    def slow(job: Job[Any]) -> None:
        begun[0] += 1
        if begun[0] == 2:
            return
        try:
            for _ in range(200):
                time.sleep(0.05)
                job.progress(1)
        except LeaseLost as error:
            raised.append(error.message)
            raise

    # One slot: a worker that is not parked hears of nothing but its notes.
    async with shop(broker, slow, concurrency=1) as it:
        it.worker()
        id = await it.enqueue("slow")
        await until(lambda: it.pools[0]._running)
        (attempt,) = it.pools[0]._running.values()
        take_back(broker, "w1", id, attempt.lease)
        await it.ends_as(id, "completed")
        await until(lambda: raised)
        assert raised == [f"the lease of slow {id} is lost: what it does counts no more"]


async def test_a_job_that_the_broker_does_not_know_as_ours_any_more_is_stopped(broker: str) -> None:
    begun = 0

    async def slow(job: Job[Any]) -> None:
        nonlocal begun
        begun += 1
        if begun == 1:
            await asyncio.sleep(PATIENCE)

    async with shop(broker, slow) as it:
        pool = it.worker()
        id = await it.enqueue("slow")
        await until(lambda: begun)
        (attempt,) = pool._running.values()
        take_back(broker, "w1", id, attempt.lease)
        pool.doubt()
        await it.ends_as(id, "completed")
        assert begun == 2


def take_back(broker: str, worker: str, id: str, lease: int) -> None:
    """Take a running job away from its worker, as another supervisor does that thinks it gone."""
    connection = connect_blocking(parse(broker))
    move = Move("front", id.encode(), lease)
    assert run_blocking(connection, Store("shop", "q").reclaim(worker, [move])) == 1
    connection.close()


async def test_it_serves_once_the_broker_has_answered_its_first_turn(broker: str) -> None:
    async def nothing(job: Job[Any]) -> None:
        pass

    async with shop(broker, nothing) as it:
        with Proxy(broker) as proxy:
            proxy.hold()
            it.worker(broker=proxy.url)
            await asyncio.sleep(0.2)
            assert it.serving == 0
            proxy.flow()
            await until(lambda: it.serving)
            assert it.serving == 1
            it.pools[0].stop()
            await asyncio.gather(*it.ends)
            it.ends.clear()


async def test_what_a_worker_wants_to_tell_after_it_was_reclaimed_is_counted(broker: str) -> None:
    gate = asyncio.Event()

    async def gated(job: Job[Any]) -> None:
        await gate.wait()

    async with shop(broker, gated, concurrency=10) as it:
        pool = it.worker()
        await it.client.enqueue_many("q", [("gated", None)] * 5)
        await until(lambda: len(pool._running) == 5)
        connection = connect_blocking(parse(broker))
        run_blocking(connection, Store("shop", "q").expel("w1", "dead"))
        connection.close()
        pool._sure = False  # as after a standstill: nothing is told before it is known what is held
        gate.set()
        await until(lambda: not pool._running)
        pool._sure = True
        pool.doubt()
        with pytest.raises(LeaseLost):
            await it.ends.pop()
        async with asyncio.timeout(PATIENCE):
            while (await it.counts()).stats.get("lost_leases") != 5:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
