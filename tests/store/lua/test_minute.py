"""The totals of a queue are kept once a minute, as long as they change."""

from __future__ import annotations

from pipeline.store.store import run_blocking
from tests.store.lua.given import Queue, move


def keep(queue: Queue) -> bool:
    return run_blocking(queue.connection, queue.store.minute())


def earlier(queue: Queue, by: int = 1) -> None:
    """What was kept last is that of an earlier minute."""
    minute, _, figures = queue.send("LINDEX", f"{queue.name}:minutes", -1).partition(" ")
    queue.send("LSET", f"{queue.name}:minutes", -1, f"{int(minute) - by} {figures}")


def kept(queue: Queue) -> list[str]:
    return [line.partition(" ")[2] for line in queue.state().get("minutes", [])]


def test_the_first_look_in_a_minute_counts(queue: Queue) -> None:
    assert keep(queue)
    queue.enqueue("a")
    minute = int(queue.send("TIME")[0]) // 60
    again = keep(queue)
    # Unless the minute ended just then.
    assert again == (int(queue.send("LINDEX", f"{queue.name}:minutes", 0).split()[0]) != minute)


def test_the_totals_are_those_of_the_queue(queue: Queue) -> None:
    queue.join("w1")
    queue.enqueue(*"abcde")
    leases = queue.take(want=5)
    queue.turn(
        done={"1": leases["1"], "2": leases["2"]},
        moves=[move("dead", "3", leases["3"], outcome=b"o"), move("delayed", "4", leases["4"], delay=9)],
        counters=["failed", 2],
    )
    queue.cancel("4")
    assert keep(queue)
    assert kept(queue) == ["5 2 2 1 1"]


def test_a_minute_in_which_nothing_changed_is_not_kept(queue: Queue) -> None:
    keep(queue)
    earlier(queue)
    assert not keep(queue)
    queue.enqueue("a")
    assert keep(queue)
    assert kept(queue) == ["0 0 0 0 0", "1 0 0 0 0"]


def test_a_day_is_kept_and_forgotten_after_another(queue: Queue) -> None:
    keep(queue)
    earlier(queue, 2_000)
    minutes = f"{queue.name}:minutes"
    queue.send("RPUSH", minutes, *(f"{n} {n} 0 0 0 0" for n in range(1, 1_500)))
    queue.enqueue("a")
    assert keep(queue)
    assert queue.send("LLEN", minutes) == 1_440
    assert 86_000 < queue.send("TTL", minutes) <= 86_400
