"""How soon each of 100,000 delayed jobs may be taken that are due at one moment, and whether a script takes long.

Once with workers that stand idle until then, once with workers that have their hands full of jobs that go first. The
server goes before all else on the machine, if that is allowed: what its log calls slow is then no wait for a processor.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from faults.bars.audit import counts, is_empty
from faults.bars.verdict import Given, Verdict, say
from faults.broker import Broker
from faults.processes import TooLate, eventually, kill
from faults.shop import NAME, Shop
from pipeline import Client
from pipeline.producer import Wanted
from pipeline.store import keys

JOBS = 100_000
AHEAD_SECONDS = 30.0
"""The moment is so far away when the first is enqueued."""
LIMIT_SECONDS, LIMIT_US = 5.0, 5_000
GIVE_UP_SECONDS = 60.0
BUSY_JOBS, BUSY_SECONDS = 20_000, 0.02
QUEUES = """\
queues:
  work: {handler: "hands:nothing", processes: 2, concurrency: 50, retention: {completed: {count: 100}}}
"""
BASE = keys.base(NAME, "work")


def measure(given: Given) -> Verdict:
    """Both herds."""
    verdict = Verdict()
    for name, occupy in (("idle workers", lambda _: 0), ("busy workers", _occupy)):
        say(name)
        folder = given.folder / name.partition(" ")[0]
        folder.mkdir()
        _measure(name, occupy, folder, verdict)
    return verdict


def _measure(name: str, occupy: Callable[[Client], int], folder: Path, verdict: Verdict) -> None:
    broker = Broker(folder, slowlog_log_slower_than=str(LIMIT_US), slowlog_max_len="1000")
    broker.start()
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(broker.pid, os.SCHED_FIFO, os.sched_param(1))
    shop = Shop(folder / "shop", broker.url)
    try:
        shop.write(QUEUES)
        shop.up()
        _run(name, broker, occupy, verdict)
    finally:
        for one in shop.supervisors:
            kill(one.pid, *one.workers())
            one.process.wait()
        broker.kill()


def _run(name: str, broker: Broker, occupy: Callable[[Client], int], verdict: Verdict) -> None:
    with Client(broker.url, NAME) as client:
        moment = time.time() + AHEAD_SECONDS
        at = datetime.fromtimestamp(moment, UTC)
        client.enqueue_many("work", [Wanted("job", {"n": n}, at=at) for n in range(JOBS)])
        if time.time() > moment - 2:
            raise TooLate(f"{JOBS:,} jobs were not enqueued in {AHEAD_SECONDS:g} s")
        time.sleep(moment - 1 - time.time())
        others = occupy(client)
        broker.call("SLOWLOG", "RESET")
        time.sleep(max(0.0, moment - time.time()))
    claimable = _until(lambda: broker.call("ZCARD", keys.delayed(BASE)) == 0, moment)
    drained = _until(lambda: is_empty(counts(broker)), moment)
    slow = broker.call("SLOWLOG", "GET", -1)
    verdict.at_most(f"{name}: all claimable after", claimable, LIMIT_SECONDS, " s")
    verdict.tell(f"{name}: all ended after", f"{drained:.2f} s")
    verdict.at_most(f"{name}: commands over {LIMIT_US / 1000:g} ms", len(slow), 0)
    verdict.figures[f"{name}: slow"] = [_told(entry) for entry in slow]
    done = int(broker.call("HGET", keys.stats(BASE), "completed") or 0)
    verdict.at_most(f"{name}: not completed, of {JOBS + others:,}", JOBS + others - done, 0)


def _occupy(client: Client) -> int:
    """Jobs that go first, for longer than the herd may take."""
    data = {"n": 0, "seconds": BUSY_SECONDS}
    jobs = [Wanted("job", data, priority=10) for _ in range(BUSY_JOBS)]
    return len(client.enqueue_many("work", jobs))


def _until(look: Callable[[], bool], moment: float) -> float:
    """Seconds from the moment until it is so; infinite when it never is."""
    try:
        eventually(look, "the herd is through", GIVE_UP_SECONDS)
    except TooLate:
        return float("inf")
    return round(time.time() - moment, 2)


def _told(entry: list[Any]) -> str:
    """A line of the slow log: how long, and how the command began."""
    _, _, took, command, *_ = entry
    return f"{took} us: {b' '.join(command[:5]).decode(errors='replace')}"
