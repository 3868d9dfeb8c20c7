"""What a person is told of a project that is not well, or not as its file says."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pipeline.status.figures import clock
from pipeline.status.queues import Override
from pipeline.status.snapshot import Snapshot
from pipeline.status.supervisors import PoolState, SupervisorState, WorkerState
from pipeline.status.troubles import troubles
from tests.status.test_terminal import SNAPSHOT, SUPERVISOR, changed, stale

HOUR = 3_600_000


def told(snapshot: Snapshot) -> list[str]:
    """The lines."""
    return [text.plain for text in troubles(snapshot)]


def with_supervisors(*supervisors: SupervisorState) -> Snapshot:
    return msgspec.structs.replace(SNAPSHOT, supervisors=list(supervisors))


def drifted(**override: Any) -> list[str]:
    """The lines for a queue in which a person changed this."""
    return told(changed(overrides=[Override(**override)]))


def test_a_project_that_is_well_and_as_its_file_says_has_no_lines() -> None:
    assert told(SNAPSHOT) == []


def test_processes_that_a_person_wants_are_told_with_the_files_and_their_end() -> None:
    override = {"field": "processes", "value": 4, "by": "ann@box", "set_at": 500, "file": 2}
    line = "! emails: processes 4 instead of 2, by ann@box"
    assert drifted(**override) == [line]
    until = SNAPSHOT.at + HOUR
    end = f"{line} until {clock(until, SNAPSHOT.at)}"
    assert drifted(**override, until_at=until) == [end]
    assert drifted(**{**override, "value": 2}) == []


def test_a_pause_is_told_with_its_end_and_how_to_end_it() -> None:
    until = SNAPSHOT.at + HOUR
    line = f"! emails is paused, by ann@box until {clock(until, SNAPSHOT.at)}"
    assert drifted(field="paused", value=True, by="ann@box", until_at=until, file=False) == [line]


def test_a_queue_that_runs_although_the_file_pauses_it_is_told() -> None:
    line = "! emails runs, and the file pauses it"
    assert drifted(field="paused", value=False, file=True) == [line]


def test_a_time_is_told_as_exactly_as_it_is_near() -> None:
    shapes = {
        clock(away, 0).count(":") + 10 * clock(away, 0).count("-"): away for away in (60_000, HOUR, 24 * HOUR)
    }
    assert shapes == {2: 60_000, 1: HOUR, 21: 24 * HOUR}


@pytest.mark.parametrize(
    ("codes", "line"),
    [
        (["aa", "aa"], None),
        (["aa", None], None),
        (["bb", "aa", "aa"], "! emails runs two versions of the code: aa (2 workers), bb (1)"),
        (
            ["bb", "aa", "cc", "aa"],
            "! emails runs three versions of the code: aa (2 workers), bb (1), cc (1)",
        ),
    ],
)
def test_a_pool_whose_workers_run_different_code_is_told(codes: list[str | None], line: str | None) -> None:
    workers = [WorkerState(f"emails.{n}", n, 0, None, code) for n, code in enumerate(codes)]
    other = WorkerState("payments.1", 9, 0, None, "zz")
    halves = [
        msgspec.structs.replace(SUPERVISOR, workers=[*workers[:1], other]),
        msgspec.structs.replace(SUPERVISOR, host="other", workers=workers[1:]),
    ]
    assert told(with_supervisors(*halves)) == ([line] if line else [])


def test_a_file_that_cannot_be_applied_is_told_once_and_first() -> None:
    (line,) = told(stale())
    assert line == "! STALE: shop.yaml:4:5: error"
    other = msgspec.structs.replace(SUPERVISOR, host="other", state="stale", reason="broker: restart")
    both = msgspec.structs.replace(stale(), supervisors=[*stale().supervisors, other])
    assert told(both) == [line, "! supervisor other:7 is stale: broker: restart"]


def test_a_mistake_that_no_supervisor_has_seen_yet_is_told_while_one_lives() -> None:
    snapshot = msgspec.structs.replace(SNAPSHOT, file_error="shop.yaml:1:1: error")
    assert told(snapshot) == ["! STALE: shop.yaml:1:1: error"]
    assert told(msgspec.structs.replace(snapshot, supervisors=[])) == []


def test_a_pool_of_several_queues_is_told_once() -> None:
    pools = [PoolState(queue, "fatal", 0, "no module", "mail") for queue in ("emails", "sms")]
    one = msgspec.structs.replace(SUPERVISOR, pools=pools)
    assert told(with_supervisors(one)) == ["! pool mail is FATAL: no module"]


def test_a_pool_whose_workers_do_not_hear_of_the_broker_is_told() -> None:
    deaf = "1 of 2 workers have not heard of the broker for 10s"
    one = msgspec.structs.replace(SUPERVISOR, pools=[PoolState("emails", "running", 2, deaf)])
    assert told(with_supervisors(one)) == [f"! pool emails: {deaf}"]


def test_the_pools_of_a_silent_supervisor_are_not_told() -> None:
    one = msgspec.structs.replace(
        SUPERVISOR, pools=[PoolState("emails", "fatal", 0)], until=5, state="stale", reason="no sign of life"
    )
    assert told(with_supervisors(one)) == ["! supervisor box:7 is silent: no sign of life"]


def test_an_alert_that_does_not_arrive_is_told_with_why() -> None:
    silent = msgspec.structs.replace(SUPERVISOR, alerts={"oncall": "it answered 404"})
    assert told(with_supervisors(silent)) == ["! alert oncall does not arrive: it answered 404"]
