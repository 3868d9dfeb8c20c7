"""What the bars are judged by finds what it should: a job that is lost or ends twice, a run without a reason, growth."""

from __future__ import annotations

import math

import pytest

from faults.bars.audit import BASE, Ends, key_sizes, unlike
from faults.bars.ledger import Hands, Ledger, Runs, Tail, count
from faults.bars.verdict import Verdict, quantile, theil_sen
from faults.case import Row
from faults.checker import Counts, Loss
from faults.events import Event
from pipeline.broker import parse
from pipeline.store import keys
from pipeline.store.blocking import BlockingConnection
from pipeline.store.connect import connect_blocking
from tests.acl import as_admin


def begins(number: int, pid: int = 10, at: float = 1.0, *, id: str = "", attempt: int = 1) -> Event:
    return Event("begin", "work", number, id or str(number + 1), attempt, pid, at)


def ends(number: int, pid: int = 10, at: float = 2.0) -> Event:
    return Event("end", "work", number, str(number + 1), 1, pid, at)


@pytest.fixture
def ledger() -> Ledger:
    """Three jobs, all acknowledged."""
    made = Ledger()
    made.acknowledge(made.take(3))
    return made


ALL = [begins(0), begins(1), begins(2)]


def test_jobs_that_each_ended_once_are_fine(ledger):
    assert count(ledger, Runs(ALL, []), {1: 1, 2: 1, 3: 1}) == Counts(3, 3, 3, 0, 0, 0, 0)


def test_an_acknowledged_job_that_never_ended_is_lost_whether_it_ran_or_not(ledger):
    assert count(ledger, Runs(ALL, []), {1: 1, 2: 1}).lost == 1
    assert count(ledger, Runs(ALL[:2], []), {1: 1, 2: 1}).lost == 1


def test_a_job_that_was_completed_twice_or_stored_twice_is_duplicated(ledger):
    assert count(ledger, Runs(ALL, []), {1: 1, 2: 2, 3: 1}).duplicated == 1
    stored_twice = Runs([*ALL, begins(1, id="9")], [])
    assert count(ledger, stored_twice, {1: 1, 2: 1, 3: 1, 9: 1}).duplicated == 1


def test_a_job_that_ended_without_an_answer_is_recovered_and_one_that_nobody_put_in_is_unexpected(ledger):
    ledger.take(1)
    runs = Runs([*ALL, begins(3), begins(4)], [])
    found = count(ledger, runs, {1: 1, 2: 1, 3: 1, 4: 1, 5: 1})
    assert (found.recovered, found.unexpected, found.lost) == (1, 1, 0)


def test_a_second_run_needs_a_process_that_lost_the_first():
    twice = [begins(0, pid=10, at=1.0), begins(0, pid=11, at=3.0)]
    assert Runs(twice, []).unexplained == [twice[1]]
    assert Runs(twice, [Loss(11, 2.0, 2.0)]).unexplained == [twice[1]]
    assert Runs(twice, [Loss(10, 4.0, 4.0)]).unexplained == [twice[1]]
    explained = Runs(twice, [Loss(10, 2.0, 2.0)])
    assert (explained.extra, explained.unexplained) == (1, [])


def test_a_further_attempt_is_no_extra_run():
    assert Runs([begins(0), begins(0, attempt=2)], []).extra == 0


def test_the_longest_pause_is_that_between_the_ends_of_two_jobs():
    assert Runs([ends(0, at=1.0), ends(1, at=1.5), ends(2, at=4.0)], []).longest_pause == 2.5


def test_a_tail_waits_for_the_rest_of_a_line(tmp_path):
    tail = Tail(tmp_path / "log")
    with (tmp_path / "log").open("a") as log:
        log.write("begin work 0 1 1 10 1.0\nend wo")
        log.flush()
        assert [line.what for line in tail.read()] == ["begin"]
        log.write("rk 0 1 1 10 2.0\n")
        log.flush()
        assert [line.what for line in tail.read()] == ["end"]


def test_a_process_has_in_hand_what_it_began_until_it_ended_or_another_began_it(tmp_path):
    log = tmp_path / "log"
    hands = Hands(log)
    log.write_text("begin work 0 1 1 10 1.0\nbegin work 1 2 1 10 1.0\nbegin work 2 3 1 11 1.0\n")
    assert hands.busy([10, 11, 12]) == [10, 11]
    with log.open("a") as more:
        more.write("end work 0 1 1 10 2.0\nbegin work 1 2 1 12 2.0\n")
    assert hands.busy([10, 11, 12]) == [11, 12]
    with log.open("a") as more:
        more.write("end work 1 2 1 10 3.0\n")
    assert hands.busy([10, 11, 12]) == [11, 12]


class Server:
    """As much of a broker as an audit asks for."""

    def __init__(self, url: str) -> None:
        self._url = url

    def connect(self) -> BlockingConnection:
        return connect_blocking(parse(self._url))

    def call(self, *command: str | int) -> object:
        connection = self.connect()
        try:
            return connection.call(command)
        finally:
            connection.close()

    def complete(self, *ids: int, kept: int = 100) -> None:
        for id in ids:
            self.call("LPUSH", keys.completed(BASE), id)
        self.call("HINCRBY", keys.stats(BASE), "completed", len(ids))
        self.call("LTRIM", keys.completed(BASE), 0, kept - 1)


@pytest.fixture
def kept(broker: str) -> Server:
    return Server(as_admin(broker))


def test_every_completion_is_counted_once_over_several_looks(kept):
    found = Ends(kept)
    kept.complete(1, 2)
    found.look()
    kept.complete(3, 2)
    found.look()
    found.look()
    assert (found.all(), found.unseen) == ({1: 1, 2: 2, 3: 1}, 0)


def test_completions_that_were_trimmed_between_two_looks_are_told(kept):
    found = Ends(kept)
    kept.complete(*range(10), kept=4)
    found.look()
    assert (found.all().total(), found.unseen) == (4, 6)


def test_dead_jobs_count_as_ended(kept):
    kept.call("ZADD", keys.dead(BASE), 1, 7)
    assert Ends(kept).all() == {7: 1}


def test_a_key_that_stays_and_one_that_grew_are_named_and_totals_are_not(kept):
    kept.call("HSET", keys.turns(BASE), "w1", 1)
    kept.call("HSET", keys.active(BASE, "w1"), "", "pad")
    before = key_sizes(kept)
    kept.call("DEL", keys.active(BASE, "w1"))
    kept.call("HSET", keys.active(BASE, "w2"), "", "pad")
    kept.complete(1)
    kept.call("DEL", keys.completed(BASE))
    assert unlike(before, key_sizes(kept)) == []
    kept.call("HSET", keys.turns(BASE), "w2", 1)
    kept.call("SET", keys.dedup(BASE, "k"), "1")
    assert unlike(before, key_sizes(kept)) == [f"{BASE}:dedup:k: 0 -> 1", f"{BASE}:turns: 1 -> 2"]


def test_a_slope_is_not_moved_by_outliers_and_is_that_of_what_grows():
    flat = [(hour / 10, 40.0) for hour in range(30)]
    flat[7] = (0.7, 400.0)
    assert theil_sen(flat) == 0
    assert math.isclose(theil_sen([(hour / 10, 40 + hour / 5) for hour in range(30)]), 2.0)
    assert theil_sen([(1.0, 40.0)]) == 0


def test_a_quantile_is_one_of_the_values():
    assert quantile([3.0, 1.0, 2.0, 4.0], 0.5) == 3.0
    assert quantile([3.0, 4.0, 1.0], 1) == 4.0
    assert quantile([1.0], 0.99) == 1.0


def test_the_quantile_of_nothing_misses_every_bar():
    assert quantile([], 0.5) == math.inf


def test_a_verdict_is_missed_by_one_row_that_is_beyond_its_bar():
    verdict = Verdict()
    verdict.tell("told", "x")
    verdict.at_most("lost", 0, 0)
    verdict.at_least("kills", 10, 10)
    assert verdict.met
    verdict.at_most("p99", 1000.5, 1000, " ms")
    assert not verdict.met
    assert "p99     1,000.5 ms  <= 1,000 ms  MISSED" in verdict.table()


def test_a_verdict_is_missed_by_what_a_case_lost_or_broke():
    good = Row(
        case="c", title="t", injects="i", counts=Counts(attempted=2, acknowledged=2, ok=2, duplicated=1)
    )
    for row, met in (
        (good, True),
        (Row(case="c", title="t", injects="i", counts=Counts(lost=1)), False),
        (Row(case="c", title="t", injects="i", violations=["two places"]), False),
    ):
        verdict = Verdict()
        verdict.take(row)
        assert verdict.met is met
