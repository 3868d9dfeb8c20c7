"""The board: what a worker does, seen by its supervisor, also after the worker was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from pipeline.worker.board import Board, Running


@pytest.fixture
def board() -> Iterator[Board]:
    board = Board.create()
    yield board
    board.close()


def test_a_new_board_is_empty(board: Board) -> None:
    assert (board.ticked, board.settled, board.running()) == (0, 0, [])


def test_the_other_side_sees_what_slots_have_begun(board: Board) -> None:
    other = Board(os.dup(board.fd))
    other.begin(2, b"evt_1", 7, 1_000, 2_000)
    other.begin(0, b"12", 8, 1_001, 0)
    assert board.running() == [Running(0, "12", 8, 1_001, 0), Running(2, "evt_1", 7, 1_000, 2_000)]
    other.close()


def test_a_slot_that_ended_runs_nothing_and_the_next_job_takes_its_place(board: Board) -> None:
    board.begin(1, b"x" * 128, 7, 1, 2)
    assert board.running() == [Running(1, "x" * 128, 7, 1, 2)]
    board.end(1)
    assert board.running() == []
    board.begin(1, b"y", 9, 3, 4)
    assert board.running() == [Running(1, "y", 9, 3, 4)]


def test_a_tick_tells_the_time_and_no_slot_changes(board: Board) -> None:
    board.begin(0, b"1", 1, 1, 1)
    board.told(42)
    board.tick(123_456_789_012, 7)
    assert (board.ticked, board.heard, board.settled) == (123_456_789_012, 7, 42)
    assert len(board.running()) == 1


def test_what_has_ended_and_is_not_told_is_counted(board: Board) -> None:
    for slot in (0, 1, 0, 0):
        board.begin(slot, b"1", 1, 1, 1)
    board.skip()
    assert board.untold == 2  # the one that could not be begun is seen with the next that is
    board.begin(2, b"1", 1, 1, 1)
    assert board.untold == 3
    board.end(0)
    assert board.untold == 4
    board.told(3)
    assert board.untold == 1


WORKER = """
import os, signal, sys
from pipeline.worker.board import Board
board = Board(int(sys.argv[1]))
board.tick(5, 0)
board.told(3)
board.begin(0, b"17", 4, 1, 2)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_worker_had_begun_can_still_be_read(board: Board) -> None:
    os.set_inheritable(board.fd, True)
    ended = subprocess.run([sys.executable, "-c", WORKER, str(board.fd)], close_fds=False, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert (board.ticked, board.settled) == (5, 3)
    assert board.running() == [Running(0, "17", 4, 1, 2)]
