"""Lists of jobs: where a later page begins, and how much is read at once."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.errors import JobNotFound
from pipeline.job import Outcome
from pipeline.store import listing
from pipeline.store.listing import list_jobs, look_at
from tests.store.conftest import POLICY, Bench


class Counted:
    """A connection that counts the commands that it sends, by their first word."""

    def __init__(self, bench: Bench) -> None:
        self._connection = bench.connection
        self.sent: list[Any] = []

    def call(self, command: Any) -> Any:
        self.sent.append(command)
        return self._connection.call(command)

    def call_many(self, commands: Any) -> Any:
        self.sent += commands
        return self._connection.call_many(commands)


def shown(counted: Counted) -> int:
    """How many jobs were read."""
    return sum(len(command) - 4 for command in counted.sent if command[0] in (b"EVALSHA", "EVALSHA"))


@pytest.mark.parametrize("state", ["waiting", "delayed", "dead", "completed"])
def test_a_later_page_of_one_state_reads_none_of_the_earlier_ones(
    bench: Bench, state: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAGE", 10)
    for number in range(60):
        bench.enqueue_own(f"j{number}", **({"delay": f"{1_000 + number}s"} if state == "delayed" else {}))
        if state == "dead":
            bench.die(at=number + 1)
        if state == "completed":
            bench.end("completed", outcome=Outcome(1, 1, number + 1))
    ids = [job.id for job in list_jobs(bench.connection, bench.reader, POLICY, (state,))]
    counted = Counted(bench)
    found = list_jobs(counted, bench.reader, POLICY, (state,), after=ids[49])  # type: ignore[arg-type]
    assert [job.id for job in found] == ids[50:]
    assert shown(counted) <= 10


def test_heavy_jobs_are_read_a_few_at_a_time(bench: Bench) -> None:
    ids = [bench.client.enqueue("emails", "send", {"x": "x" * 400_000}).id for _ in range(5)]
    counted = Counted(bench)
    found = list(look_at(counted, bench.reader, [*ids, "gone"]))  # type: ignore[arg-type]
    assert [job.id if job else None for job in found] == [*ids, None]
    assert sum(command[0] in (b"EVALSHA", "EVALSHA") for command in counted.sent) == 3


def test_what_lies_too_deep_is_not_looked_for(bench: Bench) -> None:
    for level in (0, 1):
        bench.enqueue(count=5, level=level)
    ids = bench.ids("waiting")
    behind = list_jobs(bench.connection, bench.reader, POLICY, ("waiting",), after=ids[2], deepest=3)
    assert [job.id for job in behind] == ids[3:]
    with pytest.raises(JobNotFound):
        list_jobs(bench.connection, bench.reader, POLICY, ("waiting",), after=ids[3], deepest=3)
