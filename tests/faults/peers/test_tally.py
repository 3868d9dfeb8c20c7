"""The counts of a round against a peer, from its journal: each kind of trouble shows as itself."""

from __future__ import annotations

import os

import pytest

from faults.peers import tally
from faults.peers.journal import Journal


@pytest.fixture
def read(tmp_path):
    def read(*lines: str) -> Journal:
        path = tmp_path / "journal"
        path.write_text("".join(f"{line}\n" for line in lines))
        journal = Journal(path)
        journal.read()
        return journal

    return read


def accepted(number: int) -> list[str]:
    return [f"try {number} 1000000000 1 ", f"ack {number} 1100000000 1 "]


def ran(number: int, pid: int = 2, second: int = 2) -> list[str]:
    return [f"begin {number} {second}000000000 {pid} ", f"end {number} {second}500000000 {pid} "]


def nonzero(counts: dict[str, int]) -> dict[str, int]:
    return {name: value for name, value in counts.items() if value}


def test_a_job_that_ran_once_is_ok(read):
    counts = tally.counts(read(*accepted(1), *ran(1)), set())
    assert nonzero(counts) == {"attempted": 1, "acknowledged": 1, "ok": 1}


def test_an_acknowledged_job_that_never_ended_is_lost(read):
    counts = tally.counts(read(*accepted(1), "begin 1 2000000000 2 "), set())
    assert nonzero(counts) == {"attempted": 1, "acknowledged": 1, "lost": 1}


def test_what_the_broker_still_has_of_a_lost_job_is_told(read):
    counts = tally.counts(read(*accepted(1), *accepted(2), *accepted(3), *ran(3)), {1, 3})
    assert (counts["lost"], counts["kept"]) == (2, 1)


def test_a_refused_job_that_never_ran_is_not_lost(read):
    counts = tally.counts(read("try 1 1000000000 1 ", "error 1 1100000000 1 OSError"), {1})
    assert nonzero(counts) == {"attempted": 1, "errors": 1}


def test_a_job_that_ended_twice_is_duplicated(read):
    counts = tally.counts(read(*accepted(1), *ran(1), *ran(1, pid=3)), set())
    assert (counts["duplicated"], counts["extra"]) == (1, 1)


def test_a_run_that_was_killed_is_extra_and_no_duplicate(read):
    counts = tally.counts(read(*accepted(1), "begin 1 1500000000 3 ", *ran(1)), set())
    assert (counts["duplicated"], counts["extra"]) == (0, 1)


def test_a_job_that_nobody_enqueued_is_unexpected(read):
    assert tally.counts(read(*ran(7)), set())["unexpected"] == 1


def test_a_refused_job_that_ran_is_recovered(read):
    counts = tally.counts(read("try 1 1000000000 1 ", "error 1 1100000000 1 TimeoutError", *ran(1)), set())
    assert (counts["errors"], counts["recovered"], counts["acknowledged"]) == (1, 1, 0)


def test_the_wait_of_a_killed_job_ends_with_its_next_begin(read):
    journal = read("begin 1 1000000000 2 ", *ran(1, pid=3, second=4), *ran(1, pid=4, second=9))
    assert tally.reruns(journal, [(1, 1.5), (2, 1.5)]) == {"killed": 2, "rerun": 2.5, "rerun_max": 2.5}


def test_a_killed_job_that_never_begins_again_has_no_wait(read):
    assert tally.reruns(read("begin 1 1000000000 2 "), [(1, 1.5)])["rerun"] is None


def test_all_is_done_when_the_last_job_ended_for_the_first_time(read):
    journal = read(*accepted(1), *ran(1, second=3), *accepted(2), *ran(2, second=5), *ran(1, second=8))
    assert tally.completed(journal, 1.0) == 4.5


def test_it_is_never_done_while_an_acknowledged_job_has_not_ended(read):
    assert tally.completed(read(*accepted(1), *ran(1), *accepted(2)), 1.0) is None


def test_a_call_that_was_neither_answered_nor_refused_is_unanswered(read):
    journal = read(*accepted(1), "try 2 1 1 ", "error 2 2 1 OSError", "try 3 3 1 ")
    assert journal.unanswered() == {3}


def test_a_line_that_is_being_written_is_read_when_it_is_whole(tmp_path):
    path = tmp_path / "journal"
    path.write_text("try 1 1 1 \nack 1 2")
    journal = Journal(path)
    journal.read()
    assert journal.numbers("ack") == set()
    path.write_text("try 1 1 1 \nack 1 2 1 \n")
    journal.read()
    assert (journal.numbers("try"), len(journal.events["try"]), journal.numbers("ack")) == ({1}, 1, {1})


def test_only_runs_in_processes_that_live_are_running(read):
    here, gone = os.getpid(), 2**22 - 7
    lines = [f"begin 1 1 {here} ", f"end 1 2 {here} ", f"begin 1 3 {here} ", f"begin 2 3 {gone} "]
    running = read(*lines).running()
    assert [(event.number, event.pid) for event in running] == [(1, here)]
