"""What holds for each lane apart: jobs at once, starts within a time, order, fair turns."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.store.call import run_blocking
from pipeline.store.scripts import script
from tests.store.lua.given import Queue, move, new

ONE, STRICT, FAIR = "1 0 0 0 0", "1 0 0 1 0", "0 0 0 0 1"


def given(queue: Queue, lanes: str, jobs: str) -> Queue:
    """Jobs named by their lanes: "aab" are 1 and 2 in lane a, and 3 in lane b."""
    queue.join("w1", "w2")
    queue.publish(1, lanes=lanes)
    if jobs:
        queue.each(*(new(lane, lane=lane) for lane in jobs), generation="1")
    return queue


def taken(queue: Queue, want: int = 9, worker: str = "w1") -> list[str]:
    return list(queue.take(worker, want))


def end(queue: Queue, leases: dict[str, int], worker: str = "w1", want: int = 0) -> dict[str, int]:
    """They completed; what the same turn takes."""
    turn = queue.turn(worker, want, done=leases, keep=0)
    assert turn.refused == []
    return dict.fromkeys(turn.ids, turn.lease)


def only(leases: dict[str, int], ids: Iterable[str]) -> dict[str, int]:
    return {id: leases[id] for id in ids}


def lanes_left(queue: Queue) -> set[str]:
    """The keys of lanes, the counter apart."""
    return {key for key in queue.state() if key.startswith("lane") and key != "lane_place"}


def waiting(queue: Queue) -> int:
    """What the counts say; see counts.lua."""
    return int(queue.connection.call(script("counts").command(queue=queue.name))[3])


# --- jobs at once ------------------------------------------------------------------------------------


def test_a_lane_has_so_many_active_and_others_do_not_wait_for_it(queue: Queue) -> None:
    given(queue, "2 0 0 0 0", "aaaabc")
    assert taken(queue) == ["1", "2", "5", "6"]
    assert taken(queue, worker="w2") == []


def test_who_waits_in_a_lane_counts_as_waiting(queue: Queue) -> None:
    given(queue, ONE, "aaaab")
    assert waiting(queue) == 5
    taken(queue)
    assert waiting(queue) == 3


def test_the_next_of_a_lane_follows_in_the_turn_that_ends_the_one_before(queue: Queue) -> None:
    given(queue, ONE, "aaab")
    leases = queue.take(want=1)
    assert list(leases) == ["1"]
    assert list(end(queue, leases, want=1)) == ["2"]


def test_however_a_job_ends_the_next_of_its_lane_is_let_in(queue: Queue) -> None:
    given(queue, ONE, "aaaaaaa")
    for n, kind in enumerate(("completed", "dead", "cancelled", "delayed"), 1):
        leases = queue.take(want=1)
        assert list(leases) == [str(n)]
        queue.turn(moves=[move(kind, str(n), leases[str(n)], outcome=b"o", delay=60_000)])
    leases = queue.take(want=1)
    queue.expel("w1")
    queue.reclaim("w1", move("dead", "5", leases["5"], outcome=b"o"))
    assert taken(queue, worker="w2") == ["6"]


def test_a_job_that_is_given_back_keeps_its_place(queue: Queue) -> None:
    given(queue, ONE, "aab")
    leases = queue.take(want=1)
    queue.turn(moves=[move("front", "1", leases["1"])])
    assert taken(queue) == ["1", "3"]


def test_a_job_that_is_to_run_alone_keeps_its_place(queue: Queue) -> None:
    given(queue, ONE, "aa")
    leases = queue.take(want=1)
    queue.turn(moves=[move("alone", "1", leases["1"])])
    assert taken(queue) == []
    leases = queue.take("w2", source="alone")
    assert list(end(queue, leases, "w2", want=1)) == ["2"]


def test_a_cancelled_job_that_was_let_in_makes_room(queue: Queue) -> None:
    given(queue, ONE, "aaa")
    assert queue.cancel("1") == "waiting"
    assert taken(queue) == ["2"]


def test_a_cancelled_job_in_a_lane_is_gone_from_it(queue: Queue) -> None:
    given(queue, ONE, "aaa")
    assert queue.cancel("2") == "waiting"
    assert waiting(queue) == 2
    assert list(end(queue, queue.take(want=1), want=1)) == ["3"]


def test_a_removed_job_leaves_nothing_in_its_lane(queue: Queue) -> None:
    given(queue, ONE, "aa")
    assert [queue.remove(id) for id in ("2", "1")] == ["waiting", "waiting"]
    assert lanes_left(queue) == set()


def test_a_job_that_makes_room_wakes_who_is_parked(queue: Queue) -> None:
    given(queue, STRICT, "aa")
    leases = queue.take(want=1)
    queue.turn(moves=[move("delayed", "1", leases["1"], delay=60_000)])
    queue.park("w2")
    queue.cancel("1")
    assert queue.state()["inbox:w2"] == [""]
    assert taken(queue, worker="w2") == ["2"]


def test_a_redriven_job_waits_in_its_lane_again(queue: Queue) -> None:
    given(queue, ONE, "aa")
    leases = queue.take(want=1)
    queue.turn(moves=[move("dead", "1", leases["1"], outcome=b"o")])
    queue.redrive("1")
    first = queue.take(want=5)
    assert list(first) == ["2"]
    assert list(end(queue, first, want=5)) == ["1"]


def test_a_delayed_job_comes_into_its_lane_when_it_is_due(queue: Queue) -> None:
    given(queue, ONE, "a")
    queue.each(new("later", due="+60000", lane="a"), generation="1")
    queue.age("delayed", 60_000)
    first = queue.take(want=5)
    assert list(first) == ["1"]
    assert list(end(queue, first, want=5)) == ["2"]


def test_a_promoted_job_comes_into_its_lane(queue: Queue) -> None:
    given(queue, ONE, "a")
    queue.each(new("later", due="+60000", lane="a"), generation="1")
    queue.hasten("2")
    assert taken(queue) == ["1"]


def test_a_higher_priority_is_let_in_first(queue: Queue) -> None:
    given(queue, ONE, "aa")
    queue.each(new("x", lane="a", level=5), generation="1")
    assert list(end(queue, queue.take(want=1), want=1)) == ["3"]


def test_one_to_the_front_is_let_in_before_those_that_wait(queue: Queue) -> None:
    given(queue, ONE, "aa")
    queue.each(new("x", lane="a", due="front"), generation="1")
    assert list(end(queue, queue.take(want=1), want=1)) == ["3"]


def test_a_job_without_a_lane_is_not_held_by_any(queue: Queue) -> None:
    given(queue, ONE, "aa")
    queue.each(new("x"), generation="1")
    assert taken(queue) == ["1", "3"]


def test_without_fair_turns_who_came_first_goes_first(queue: Queue) -> None:
    given(queue, ONE, "aaabbb")
    order: list[str] = []
    leases = queue.take(want=1)
    while leases:
        order += leases
        leases = end(queue, leases, want=1)
    assert order == ["1", "2", "3", "4", "5", "6"]


# --- strict order -------------------------------------------------------------------------------------


def test_in_strict_order_a_retry_holds_its_lane(queue: Queue) -> None:
    given(queue, STRICT, "aab")
    leases = queue.take(want=5)
    assert list(leases) == ["1", "3"]
    queue.turn(moves=[move("delayed", "1", leases["1"], delay=60_000)])
    assert taken(queue) == []
    queue.age("delayed", 60_000)
    again = queue.take(want=5)
    assert list(again) == ["1"]
    assert list(end(queue, again, want=5)) == ["2"]


def test_in_strict_order_a_promoted_retry_is_next(queue: Queue) -> None:
    given(queue, STRICT, "aa")
    leases = queue.take(want=5)
    queue.turn(moves=[move("delayed", "1", leases["1"], delay=60_000)])
    queue.hasten("1")
    assert taken(queue) == ["1"]


def test_in_strict_order_a_cancelled_retry_makes_room(queue: Queue) -> None:
    given(queue, STRICT, "aa")
    leases = queue.take(want=5)
    queue.turn(moves=[move("delayed", "1", leases["1"], delay=60_000)])
    queue.cancel("1")
    assert taken(queue) == ["2"]


def test_in_strict_order_priority_changes_nothing_within_a_lane(queue: Queue) -> None:
    given(queue, STRICT, "aa")
    queue.each(new("x", lane="a", level=5), generation="1")
    assert list(end(queue, queue.take(want=1), want=1)) == ["2"]


# --- fair turns ---------------------------------------------------------------------------------------


def test_lanes_take_turns(queue: Queue) -> None:
    given(queue, FAIR, "aaaaabbc")
    assert taken(queue) == ["1", "6", "8", "2", "7", "3", "4", "5"]


def test_a_lane_that_comes_late_does_not_wait_for_a_full_one(queue: Queue) -> None:
    given(queue, FAIR, "a" * 100)
    assert taken(queue, 3) == ["1", "2", "3"]
    queue.each(new("b", lane="b"), generation="1")
    assert taken(queue, 3) == ["4", "101", "5"]


def test_turns_and_jobs_at_once_hold_together(queue: Queue) -> None:
    given(queue, "2 0 0 0 1", "aaaabbbb")
    assert taken(queue) == ["1", "5", "2", "6"]


# --- a rate for each lane -----------------------------------------------------------------------------


def test_a_rate_holds_for_each_lane(queue: Queue) -> None:
    given(queue, "0 2 60000 0 0", "aaaabb")
    assert taken(queue) == ["1", "2", "5", "6"]
    assert taken(queue, worker="w2") == []


def test_a_parked_worker_knows_when_the_first_lane_opens(queue: Queue) -> None:
    given(queue, "0 1 60000 0 0", "aabb")
    taken(queue)
    due = queue.turn("w2", 1, park=True).due
    assert due is not None
    assert 59_000 < due <= 60_000


def test_a_lane_opens_when_its_oldest_start_leaves_the_window(queue: Queue) -> None:
    given(queue, "0 1 60000 0 0", "aabb")
    taken(queue)
    for key in ("lane_starts:a", "lane_opens"):
        queue.age(key, 60_000)
    assert taken(queue) == ["2"]


def test_a_lane_that_closes_wakes_a_worker_to_wait_for_it(queue: Queue) -> None:
    given(queue, "0 1 60000 0 0", "aa")
    queue.join("w3")
    queue.send("SADD", f"{queue.name}:idle", "w3")
    queue.take("w1", 1)
    assert queue.state()["inbox:w3"] == [""]


def test_what_did_not_start_does_not_count_in_its_lane(queue: Queue) -> None:
    given(queue, "0 1 60000 0 0", "aa")
    leases = queue.take(want=1)
    queue.turn(moves=[move("unused", "1", leases["1"])])
    assert taken(queue) == ["1"]


def test_a_late_start_counts_from_then(queue: Queue) -> None:
    given(queue, "0 1 60000 0 0", "aa")
    leases = queue.take(want=1)
    queue.age("lane_starts:a", 59_000)
    assert run_blocking(queue.connection, queue.store.late(b"1", leases["1"])) == 1
    queue.age("lane_starts:a", 1_500)
    queue.age("lane_opens", 60_000)
    assert taken(queue) == []


def test_a_lane_that_a_clock_closed_that_went_back_opens(queue: Queue) -> None:
    given(queue, "0 1 60000 0 0", "aa")
    taken(queue)
    for key in ("lane_starts:a", "lane_opens"):
        queue.age(key, -3_600_000)
    assert taken(queue) == ["2"]


# --- on hold ------------------------------------------------------------------------------------------


def test_a_handler_holds_its_lane_and_no_other(queue: Queue) -> None:
    given(queue, "2 0 0 0 0", "aaabb")
    leases = queue.take(want=1)
    queue.turn(moves=[move("hold", "1", leases["1"], delay=60_000)])
    assert taken(queue) == ["4", "5"]
    assert waiting(queue) == 3
    due = queue.turn("w2", 1, park=True).due
    assert due is not None
    assert 59_000 < due <= 60_000


def test_after_its_time_a_held_lane_goes_on_in_its_order(queue: Queue) -> None:
    given(queue, STRICT, "aaabb")
    leases = queue.take(want=1)
    queue.turn(moves=[move("hold", "1", leases["1"], delay=60_000)])
    assert taken(queue) == ["4"]
    queue.send("HSET", f"{queue.name}:lane_held", "a", "0 1")
    queue.age("lane_opens", 60_000)
    again = queue.take(want=5)
    assert list(again) == ["1"]
    assert list(end(queue, again, want=5)) == ["2"]


def test_a_hold_of_a_clock_that_went_back_does_not_count(queue: Queue) -> None:
    given(queue, ONE, "aa")
    leases = queue.take(want=1)
    queue.turn(moves=[move("hold", "1", leases["1"], delay=60_000)])
    assert taken(queue) == []
    since, ends = queue.send("HGET", f"{queue.name}:lane_held", "a").split()
    queue.send("HSET", f"{queue.name}:lane_held", "a", f"{int(since) + 3_600_000} {int(ends) + 3_600_000}")
    queue.age("lane_opens", -3_600_000)
    assert taken(queue) == ["1"]


def test_resume_lifts_what_holds_lanes(queue: Queue) -> None:
    given(queue, ONE, "aa")
    leases = queue.take(want=1)
    queue.turn(moves=[move("hold", "1", leases["1"], delay=60_000)])
    assert taken(queue) == []
    run_blocking(queue.connection, queue.store.resume())
    assert taken(queue) == ["1"]


# --- changes of the file ------------------------------------------------------------------------------


def opened(queue: Queue) -> int:
    cursor, let = run_blocking(queue.connection, queue.store.open_lanes(b"0"))
    assert cursor == b"0"
    return let


def test_a_wider_lane_lets_in_more(queue: Queue) -> None:
    given(queue, ONE, "aaaaa")
    queue.publish(2, lanes="3 0 0 0 0")
    assert opened(queue) == 2
    assert taken(queue) == ["1", "2", "3"]


def test_a_narrower_lane_lets_those_end_that_are_in(queue: Queue) -> None:
    given(queue, "3 0 0 0 0", "aaaaa")
    leases = queue.take(want=3)
    queue.publish(2, lanes=ONE)
    assert end(queue, only(leases, "12"), want=3) == {}
    assert list(end(queue, only(leases, "3"), want=3)) == ["4"]


def test_lanes_that_the_file_has_no_more_let_in_all(queue: Queue) -> None:
    given(queue, STRICT, "aaaaabbb")
    leases = queue.take(want=2)
    queue.publish(2)
    assert opened(queue) == 6
    assert list(end(queue, leases, want=9)) == ["2", "3", "4", "5", "7", "8"]


def test_before_anything_was_published_a_lane_is_strict(queue: Queue) -> None:
    queue.join("w1")
    queue.each(new("x", lane="a"), new("y", lane="a"))
    queue.publish(1, lanes=STRICT)
    assert taken(queue) == ["1"]


def test_a_purge_takes_what_waits_in_lanes(queue: Queue) -> None:
    given(queue, ONE, "aaaab")
    leases = queue.take(want=1)
    purged, more = 0, True
    while more:
        jobs, more = run_blocking(queue.connection, queue.store.purge(2))
        purged += len(jobs)
    assert purged == 4
    assert waiting(queue) == 0
    end(queue, leases)
    assert lanes_left(queue) == set()


# --- keep the last ------------------------------------------------------------------------------------


def last(queue: Queue, record: str, level: int = 0) -> tuple[str, str]:
    (answer,) = queue.each(
        new(record, key="k", mode="keep_last", lane="k", level=level), generation=str(queue.stat("none") or 1)
    )
    return answer.id, answer.status


def test_one_runs_and_one_waits_with_the_newest_record(queue: Queue) -> None:
    given(queue, STRICT, "")
    assert last(queue, "one") == ("1", "created")
    assert last(queue, "two") == ("1", "replaced")
    turn = queue.turn(want=5)
    assert turn.records == ["two"]
    assert last(queue, "three") == ("2", "created")
    assert last(queue, "four") == ("2", "replaced")
    assert taken(queue) == []
    after = queue.turn(want=5, moves=[move("completed", "1", turn.lease, outcome=b"o", key="k")])
    assert after.records == ["four"]


def test_who_waits_behind_a_retry_is_replaced_and_not_the_retry(queue: Queue) -> None:
    given(queue, STRICT, "")
    last(queue, "one")
    lease = queue.take()["1"]
    queue.turn(moves=[move("delayed", "1", lease, delay=60_000, runs=b"r")])
    assert last(queue, "two") == ("2", "created")
    assert last(queue, "three") == ("2", "replaced")
    assert taken(queue) == []


def test_a_replacement_may_have_another_priority(queue: Queue) -> None:
    given(queue, STRICT, "")
    last(queue, "one")
    queue.each(new("other", level=1), generation="1")
    assert last(queue, "two", level=2) == ("1", "replaced")
    assert taken(queue) == ["1", "2"]


def test_the_key_is_free_when_the_last_one_has_ended(queue: Queue) -> None:
    given(queue, STRICT, "")
    last(queue, "one")
    lease = queue.take()["1"]
    queue.turn(moves=[move("completed", "1", lease, outcome=b"o", key="k")])
    assert "dedup:k" not in queue.state()
    assert last(queue, "two") == ("2", "created")


# --- what is left -------------------------------------------------------------------------------------


def test_lanes_that_drained_leave_nothing(queue: Queue) -> None:
    given(queue, "1 5 60000 1 1", "aaabbbccd")
    leases = queue.take(want=9)
    while leases:
        leases = end(queue, leases, want=9)
    assert lanes_left(queue) <= {"lane_starts:a", "lane_starts:b", "lane_starts:c", "lane_starts:d"}
    assert 0 < queue.send("PTTL", f"{queue.name}:lane_starts:a") <= 60_000
