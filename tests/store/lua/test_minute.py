"""What a queue counted is kept once a minute, as long as anything happens, and more coarsely for longer."""

from __future__ import annotations

import pytest

from pipeline.store.call import run_blocking
from tests.store.lua.given import Queue, move


def keep(queue: Queue, oldest: int = 0) -> bool:
    return run_blocking(queue.connection, queue.store.minute(oldest))


def earlier(queue: Queue, by: int = 1) -> None:
    """What was kept so far, was so many minutes earlier."""
    for ring in ("minutes", "tens", "hours", "quarters"):
        for place, line in enumerate(queue.send("LRANGE", f"{queue.name}:{ring}", 0, -1)):
            minute, _, figures = line.partition(" ")
            queue.send("LSET", f"{queue.name}:{ring}", place, f"{int(minute) - by} {figures}")


def kept(queue: Queue, ring: str = "minutes") -> list[str]:
    return [line.partition(" ")[2] for line in queue.state().get(ring, [])]


def count(queue: Queue, **stats: int) -> None:
    for name, by in stats.items():
        queue.send("HINCRBY", f"{queue.name}:stats", name.replace("_", ":"), by)


def on_the_hour(queue: Queue) -> None:
    """What was kept last is of the very minute in which the hour before this one began."""
    minute = int(queue.send("LINDEX", f"{queue.name}:minutes", -1).split()[0])
    earlier(queue, minute % 60 + 60)


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
    assert kept(queue) == ["5 2 2 1 1 0 - -"]


def test_a_minute_in_which_nothing_changed_is_not_kept(queue: Queue) -> None:
    keep(queue)
    earlier(queue)
    assert not keep(queue)
    queue.enqueue("a")
    assert keep(queue)
    assert kept(queue) == ["0 0 0 0 0 0 - -", "1 0 0 0 0 0 - -"]


def test_a_job_that_waits_is_kept_though_nothing_changed(queue: Queue) -> None:
    keep(queue)
    earlier(queue)
    assert keep(queue, oldest=4_200)
    assert kept(queue)[-1] == "0 0 0 0 0 4200 - -"


def test_histograms_are_what_came_since_the_line_before(queue: Queue) -> None:
    count(queue, run_3=5)
    keep(queue)  # of what came before the first line it is not known when
    earlier(queue)
    count(queue, run_3=2, wait_12=1)
    keep(queue)
    earlier(queue)
    count(queue, run_3=1)
    keep(queue)
    assert [line.split()[6:] for line in kept(queue)] == [["-", "-"], ["3:2", "12:1"], ["3:1", "-"]]


def test_a_coarser_line_has_all_histograms_and_the_longest_wait_since_the_one_before(queue: Queue) -> None:
    keep(queue)
    on_the_hour(queue)
    count(queue, run_3=2)
    keep(queue, oldest=900)
    earlier(queue, 30)
    count(queue, run_3=1, wait_4=7)
    # They tell of half an hour ago now, in the hour that goes on.
    queue.send("DEL", f"{queue.name}:tens", f"{queue.name}:hours")
    first = queue.send("LINDEX", f"{queue.name}:minutes", 0)
    queue.send("RPUSH", f"{queue.name}:hours", first)
    queue.send("RPUSH", f"{queue.name}:tens", first)
    keep(queue, oldest=100)
    assert kept(queue, "hours")[-1] == "0 0 0 0 0 900 3:3 4:7"
    assert kept(queue, "tens")[-1] == "0 0 0 0 0 900 3:3 4:7"


def test_a_coarser_line_leaves_out_what_the_one_before_told(queue: Queue) -> None:
    keep(queue)
    on_the_hour(queue)
    minutes, hours = f"{queue.name}:minutes", f"{queue.name}:hours"
    start = int(queue.send("LINDEX", hours, -1).split()[0])
    queue.send("DEL", minutes)
    for after, histogram in ((-1, "3:5"), (0, "3:7"), (1, "3:11")):
        queue.send("RPUSH", minutes, f"{start + after} 0 0 0 0 0 {900 - after} {histogram} -")
    keep(queue)
    assert kept(queue, "hours")[-1] == "0 0 0 0 0 899 3:11 -"


def test_a_coarser_line_comes_though_the_last_minute_was_quiet(queue: Queue) -> None:
    keep(queue)
    on_the_hour(queue)
    queue.enqueue("a")
    keep(queue)
    assert len(kept(queue, "tens")) == len(kept(queue, "hours")) == 2
    earlier(queue, 60)
    queue.send("RPOP", f"{queue.name}:hours")
    assert keep(queue), "the hour in which the job came is over"
    assert kept(queue, "hours")[-1] == "1 0 0 0 0 0 - -"
    assert len(kept(queue)) == 2


def test_a_day_is_kept_and_forgotten_after_another(queue: Queue) -> None:
    keep(queue)
    earlier(queue, 2_000)
    minutes = f"{queue.name}:minutes"
    queue.send("RPUSH", minutes, *(f"{n} {n} 0 0 0 0" for n in range(1, 1_500)))
    queue.enqueue("a")
    assert keep(queue)
    assert queue.send("LLEN", minutes) == 1_440
    assert 86_000 < queue.send("TTL", minutes) <= 86_400


@pytest.mark.parametrize(
    ("ring", "lines", "days"), [("tens", 288, 2), ("hours", 240, 10), ("quarters", 372, 93)]
)
def test_the_coarser_the_longer_lines_are_kept(queue: Queue, ring: str, lines: int, days: int) -> None:
    key = f"{queue.name}:{ring}"
    queue.send("RPUSH", key, *(f"{n} {n} 0 0 0 0 0 - -" for n in range(1, 500)))
    queue.enqueue("a")
    assert keep(queue)
    assert queue.send("LLEN", key) == lines
    assert days * 86_000 < queue.send("TTL", key) <= days * 86_400
