"""Lanes over several processes, by what the handlers themselves write down."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import defaultdict

import pytest

from pipeline.policy import Backoff, Lanes, Rate

# Fails now and then, by a die of its own for each attempt.
MOODY = """\
import random, hands
async def go(job):
    hands.note("begin", job)
    await hands.asyncio.sleep(0.001)
    if random.Random(f"{job.id} {job.attempt}").random() < job.data.get("fails", 0.2):
        raise ValueError("not yet")
    hands.note("end", job)
"""


def strict(project, keys, jobs):
    """A queue with strict lanes, and so many jobs for each key, mixed; the ids of each key in order."""
    (project.root / "moody.py").write_text(MOODY)
    lanes = Lanes("{data.key}", 1, strict=True)
    project.queue("a", "moody:go", processes=2, lanes=lanes, attempts=50, backoff=Backoff("fixed", 20))
    order = [key for key in range(keys) for _ in range(jobs)]
    random.Random(1).shuffle(order)
    ids = project.enqueue("a", *({"key": key} for key in order))
    of_key = defaultdict(list)
    for key, id in zip(order, ids, strict=True):
        of_key[key].append(id)
    return of_key


def begun_in_order(project, of_key):
    """Whether no job of a key began before the one before it had ended."""
    place = {id: (key, n) for key, ids in of_key.items() for n, id in enumerate(ids)}
    ended: dict[int, int] = defaultdict(int)
    for line in (project.root / "events").read_text().splitlines():
        what, _, id, *_ = line.split()
        key, n = place[id]
        if what == "end":
            ended[key] = max(ended[key], n + 1)
        elif n > ended[key]:
            return f"{id} of {key} began as number {n}, and {ended[key]} had ended"
    return True


def test_strict_lanes_keep_their_order_through_failures_and_kills(project):
    of_key = strict(project, keys=30, jobs=6)
    run = project.run()
    for n in range(3):
        seen = project.sees("end", 40 * (n + 1))
        os.kill(seen[-1].pid, signal.SIGKILL)
    project.eventually(lambda: len({event.id for event in project.events("end")}) == 180, "all ended")
    assert begun_in_order(project, of_key) is True
    assert run.stop() == 0


def test_a_full_lane_lets_others_take_turns(project):
    project.queue("a", "hands:work", concurrency=1, lanes=Lanes("{data.tenant}", fair=True))
    project.enqueue("a", *({"tenant": "big"} for _ in range(300)))
    run = project.run()
    project.sees("end", 5)
    small = set(project.enqueue("a", *({"tenant": "small"} for _ in range(10))))
    project.eventually(lambda: len(project.events("end")) == 310, "all ran")
    order = [event.id in small for event in project.events("begin")]
    first, last = order.index(True), len(order) - order[::-1].index(True)
    assert last - first <= 20
    assert run.stop() == 0


def test_a_rate_holds_for_each_lane_over_all_processes(project):
    lanes = Lanes("{data.key}", rate_limit=Rate(3, 300))
    project.queue("a", "hands:work", processes=2, lanes=lanes)
    ids = project.enqueue("a", *({"key": n % 2} for n in range(24)))
    run = project.run()
    project.eventually(lambda: len(project.events("end")) == 24, "all ran")
    for own in (ids[::2], ids[1::2]):
        begun = sorted(event.at for event in project.events("begin") if event.id in own)
        assert max(sum(start <= at < start + 0.3 for at in begun) for start in begun) <= 3
    assert run.stop() == 0


def test_a_handler_that_is_told_to_wait_holds_its_lane_only(project):
    (project.root / "limited.py").write_text(
        "import hands\nfrom pipeline import RateLimited\n"
        "async def go(job):\n"
        "    first = job.data['key'] == 'a' and not hands.EVENTS.exists()\n"
        "    hands.note('begin', job)\n"
        "    if first: raise RateLimited('700ms')\n"
        "    hands.note('end', job)\n"
    )
    project.queue("a", "limited:go", concurrency=1, lanes=Lanes("{data.key}", 1))
    held, *others = project.enqueue("a", {"key": "a"}, {"key": "b"}, {"key": "b"}, {"key": "a"})
    run = project.run()
    project.eventually(lambda: len(project.events("end")) == 4, "all ran")
    times = {event.id: event.at for event in project.events("begin")}
    begun = min(event.at for event in project.events("begin"))
    assert times[held] - begun >= 0.7
    assert max(times[id] for id in others[:2]) - begun < 0.6
    assert times[others[2]] >= times[held]
    assert run.stop() == 0


def test_a_wider_lane_of_the_file_lets_in_what_waits(written):
    lanes = "queues:\n  a: {{handler: 'hands:work', lanes: {{key: '{{data.key}}', max_active: {}}}}}\n"
    run = written.up(lanes.format(1))
    written.enqueue("a", *({"key": "k", "seconds": 60} for _ in range(3)))
    written.sees("begin")
    told = written.pipeline("lanes", "a", "--json")
    assert '"waiting":2' in told.stdout
    assert written.reload(lanes.format(3)).returncode == 0
    written.sees("begin", 3)
    run.signal(signal.SIGINT)
    run.signal(signal.SIGINT)
    run.ends()


def test_of_jobs_that_keep_the_last_one_runs_and_the_newest_follows(written):
    run = written.up(
        "queues:\n  a: {handler: 'hands:work', deduplication: {key: '{data.key}', mode: keep_last}}\n"
    )
    first, *_ = written.enqueue("a", {"key": "k", "seconds": 0.5})
    written.sees("begin")
    ids = {written.enqueue("a", {"key": "k", "seconds": 0.01 * n})[0] for n in range(5)}
    assert len(ids) == 1
    written.sees("end", 2)
    begun = [event.id for event in written.events("begin")]
    assert begun == [first, *ids]
    assert run.stop() == 0


@pytest.mark.world
def test_a_thousand_strict_lanes_with_a_worker_killed_every_second(project):
    of_key = strict(project, keys=1_000, jobs=60)
    run = project.run()
    pids: set[int] = set()
    while len({event.id for event in project.events("end")}) < 60_000:
        time.sleep(1)
        alive = {event.pid for event in project.events("begin")[-50:]} - pids
        if alive:
            pids.add(pid := alive.pop())
            os.kill(pid, signal.SIGKILL)
    assert begun_in_order(project, of_key) is True
    assert len(pids) > 3
    assert run.stop() == 0
