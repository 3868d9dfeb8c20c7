"""What a terminal shows, as text: every size, every trouble, and nothing that can steer it."""

from __future__ import annotations

import io
import re
from typing import Any

import msgspec
import pytest
from rich.console import Console

from pipeline.status.broker import BrokerState
from pipeline.status.failures import Failure
from pipeline.status.feed import Look
from pipeline.status.figures import rate, size, span, spark
from pipeline.status.queues import Override, QueueState
from pipeline.status.schedules import ScheduleState
from pipeline.status.snapshot import Snapshot
from pipeline.status.supervisors import PoolState, SupervisorState, WorkerState
from pipeline.status.terminal import View, status

QUEUE = QueueState(
    waiting=3, delayed=2, active=1, blocked=0, completed=9, dead=0, cancelled=0, paused=False, workers=2,
    oldest_waiting_ms=1500, enqueued_total=10, completed_total=1234, dead_total=0, cancelled_total=0,
    redriven_total=0, purged_total=0, failed_attempts_total=0, lost_leases_total=0, duplicates_total=0,
    reruns_total=0, paused_by=None, in_file=True, run_ms=(1.5, 20.0), wait_ms=None,
)  # fmt: skip
SUPERVISOR = SupervisorState(
    "box",
    7,
    1,
    "abc",
    "ready",
    None,
    5,
    [PoolState("emails", "running", 2)],
    [WorkerState("emails.1", 8, 1, 2**25)],
    until=6_000,
)
SNAPSHOT = Snapshot(
    "shop", 4, True, BrokerState("valkey", "9.1", "everysec", 2**21, True), [SUPERVISOR], {"emails": QUEUE},
    None, 1_000, {"emails": {}}, {"emails": {}},
)  # fmt: skip
SCHEDULE = ScheduleState(
    queue="emails", job="digest", when="15 2 * * MON-FRI America/Argentina/Buenos_Aires", applied=True, next_at=7_200_000,
    last_at=0, last_job="nightly:0", last_state="completed", fired_total=3, skipped_total=0, missed_total=0,
    paused=False, paused_by=None, paused_at=None,
)  # fmt: skip
PAUSED = Override(field="paused", value=True, by="ann@box", file=False)
SCALED = Override(field="processes", value=4, by="ann@box", file=2)
FAILURE = Failure(1_000, "emails", "17", "evil\x1b[2J\u202ename", 2, 3, False, "Error: a\nb\x07")


def changed(**changes: Any) -> Snapshot:
    """The snapshot with one queue that differs."""
    return msgspec.structs.replace(SNAPSHOT, queues={"emails": msgspec.structs.replace(QUEUE, **changes)})


def stale(**changes: Any) -> Snapshot:
    """The snapshot of a project whose file cannot be applied."""
    one = msgspec.structs.replace(SUPERVISOR, state="stale", reason="shop.yaml:4:5: error", **changes)
    return msgspec.structs.replace(SNAPSHOT, supervisors=[one], in_sync=False)


def many_queues(count: int) -> Snapshot:
    """The snapshot with so many queues."""
    queues = {f"queue-{n}": QUEUE for n in range(count)}
    none: dict[str, dict[int, int]] = {name: {} for name in queues}
    return msgspec.structs.replace(SNAPSHOT, queues=queues, run=none, wait=none)


def drawn(
    thing: Any, width: int = 120, height: int = 30, *, color: bool = False, encoding: str = "utf-8"
) -> str:
    """The thing as a terminal of that size shows it."""
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding=encoding, write_through=True)
    console = Console(
        file=out, width=width, height=height, force_terminal=color, color_system="truecolor" if color else None,
        legacy_windows=False, highlight=False, markup=False, emoji=False, _environ={},
    )  # fmt: skip
    console.print(thing, end="")
    return raw.getvalue().decode(encoding)


def live(look: Look, *, logs: list[str] | None = None, **screen: Any) -> list[str]:
    """The lines of the live view."""
    view = View("shop", "q quits", logs=logs)
    view.show(look)
    return drawn(view, **screen).split("\n")


def test_status_tells_what_runs_and_what_every_queue_holds() -> None:
    text = drawn(status(SNAPSHOT, 120, "shop.yaml"))
    assert "shop  generation 4  in sync  ·  broker valkey, 9.1, durability everysec, 2.0 MiB" in text
    assert "supervisor box:7  ready  generation 1  since" in text
    rows = [row for row in text.split("\n") if row.startswith("emails ")]
    assert rows[0].split() == [
        "emails",
        "3",
        "2",
        "1",
        "1,234",
        "0",
        "2",
        "1.5s",
        "1.5ms",
        "/",
        "20ms",
        "-",
    ]


def test_status_tells_which_code_each_worker_runs() -> None:
    workers = [
        WorkerState(f"emails.{n}", 100 + n, n, 30 * 2**20, code)
        for n, code in enumerate(("aaaa1111", "bbbb2222", None))
    ]
    one = msgspec.structs.replace(SNAPSHOT.supervisors[0], workers=workers)
    rows = drawn(status(msgspec.structs.replace(SNAPSHOT, supervisors=[one]), 120, "shop.yaml")).split("\n")
    assert [row.split()[-1] for row in rows if row.startswith("emails.")] == ["aaaa1111", "bbbb2222", "-"]


def test_of_many_workers_the_first_are_listed_and_the_rest_counted() -> None:
    workers = [WorkerState(f"emails.{n}", n, 0) for n in range(50)]
    one = msgspec.structs.replace(SNAPSHOT.supervisors[0], workers=workers)
    text = drawn(status(msgspec.structs.replace(SNAPSHOT, supervisors=[one]), 120, "shop.yaml"))
    assert "and 10 more" in text


@pytest.mark.parametrize(
    ("snapshot", "says"),
    [
        (changed(dead=3), "3 dead in emails: pipeline dead list emails"),
        (changed(overrides=[PAUSED]), "to let emails go on: pipeline resume emails"),
        (changed(overrides=[SCALED]), "to let the file count for emails again: pipeline reset emails"),
        (stale(), "what is wrong with the file: pipeline validate shop.yaml"),
        (stale(held=True), "to go over to the file again: pipeline reload"),
        (changed(in_file=False, waiting=312), "emails is not in the file, 312 waiting: put it back, or pipeline purge emails"),
        (msgspec.structs.replace(SNAPSHOT, supervisors=[]), "no supervisor runs; start one: pipeline run shop.yaml"),
    ],
)  # fmt: skip
def test_status_says_what_to_do_next(snapshot: Snapshot, says: str) -> None:
    assert says in drawn(status(snapshot, 120, "shop.yaml"))


@pytest.mark.parametrize(
    ("trouble", "says"),
    [
        ({"pools": [PoolState("emails", "fatal", 0, "no module named 'x'")]}, "! pool emails is FATAL: no module named 'x'"),
        ({"pools": [PoolState("emails", "backoff", 0, "next try in 2s")]}, "! pool emails is backoff: next try in 2s"),
        ({"state": "stale", "reason": "no sign of life for 9s", "until": 9}, "! supervisor box:7 is silent: no sign of life for 9s"),
        ({"state": "stale", "reason": "shop.yaml:4:5: error"}, "! STALE: shop.yaml:4:5: error"),
        ({"state": "behind", "reason": "a newer file runs"}, "! supervisor box:7 is behind: a newer file runs"),
    ],
)  # fmt: skip
def test_troubles_are_told_with_their_reason(trouble: dict[str, Any], says: str) -> None:
    snapshot = msgspec.structs.replace(SNAPSHOT, supervisors=[msgspec.structs.replace(SUPERVISOR, **trouble)])
    assert says in drawn(status(snapshot, 120, "shop.yaml"))
    assert says in "\n".join(live(Look(snapshot, [])))


@pytest.mark.parametrize("width", [20, 50, 80, 130, 300])
@pytest.mark.parametrize("height", [5, 12, 24, 60])
def test_the_live_view_fills_every_terminal_exactly(width: int, height: int) -> None:
    snapshot = many_queues(9)
    lines = live(Look(snapshot, [FAILURE] * 9), logs=["x" * 200] * 99, width=width, height=height)
    assert len(lines) == height
    assert max(map(len, lines)) <= width
    assert lines[-1] == "q quits"


def test_the_live_view_has_figures_failures_and_the_tail_of_the_log() -> None:
    lines = live(Look(SNAPSHOT, [FAILURE]), logs=["old"] * 50 + ["newest"])
    text = "\n".join(lines)
    assert "workers  1, 32.0 MiB   running  emails.1 1" in text
    assert "attempt 2/3" in text
    assert lines[-2] == "newest"


def test_queues_that_do_not_fit_are_counted() -> None:
    snapshot = many_queues(40)
    text = "\n".join(live(Look(snapshot, []), height=20))
    assert "more queues" in text


def test_a_broker_that_is_away_is_told_over_the_last_picture() -> None:
    text = "\n".join(live(Look(SNAPSHOT, [], "no broker at box:6379")))
    assert "! no broker at box:6379  trying again" in text
    assert "emails" in text
    assert "looking ..." in "\n".join(live(Look(None, [], "no broker")))


@pytest.mark.security("S14")
@pytest.mark.parametrize("color", [False, True])
def test_names_and_errors_of_jobs_cannot_steer_the_terminal(color: bool) -> None:
    text = "\n".join(live(Look(SNAPSHOT, [FAILURE]), logs=["log \x1b[2J [bold]"], width=140, color=color))
    for dangerous in ("\x1b[2J", "\x07", "\u202e"):
        assert dangerous not in text
    assert "\\x1b[2J" in text
    assert "Error: a\\nb\\x07" in text
    assert "[bold]" in text


def test_a_terminal_without_unicode_gets_plain_bars() -> None:
    assert "▁" not in "\n".join(live(Look(msgspec.structs.replace(SNAPSHOT), []), encoding="latin-1"))


def test_figures_are_short() -> None:
    assert [size(0), size(1_536), size(5 * 2**30)] == ["0 B", "1.5 KiB", "5.0 GiB"]
    assert [span(0.05), span(12.4), span(1_500), span(150_000)] == ["0.05ms", "12ms", "1.5s", "2m"]
    assert [rate(0), rate(2.25), rate(1_234.5)] == ["-", "2.2/s", "1,234/s"]
    assert spark([0, 1, 4, 8]) == "▁▂▅█"
    assert spark([0, 0]) == "▁▁"


def with_schedules(**schedules: ScheduleState) -> Snapshot:
    return msgspec.structs.replace(SNAPSHOT, schedules=schedules)


def test_schedules_are_listed_by_their_next_run_within_eighty_columns() -> None:
    later = msgspec.structs.replace(SCHEDULE, next_at=90_000_000_000, last_at=80_000_000_000)
    never = msgspec.structs.replace(SCHEDULE, next_at=None)
    names = {"a-name-that-is-longer-than-most-schedules": later, "never": never, "soon": SCHEDULE}
    text = drawn(status(with_schedules(**names), 80, "shop.yaml"), width=80)
    rows = text[text.index("schedule ") :].splitlines()[:4]
    assert [row.split()[0][:8] for row in rows] == ["schedule", "soon", "a-name-t", "never"]
    assert "ended" in rows[3]
    assert len(re.findall(r"197\d-\d\d-\d\d \d\d:\d\d", rows[2])) == 2, "the times are whole"
    assert max(map(len, rows)) <= 80


def test_a_paused_schedule_is_told_and_has_no_next_run() -> None:
    paused = msgspec.structs.replace(SCHEDULE, paused=True, paused_by="ann@box", next_at=None)
    text = drawn(status(with_schedules(nightly=paused), 120, "shop.yaml"))
    assert "! schedule nightly is paused, by ann@box" in text
    assert "nightly   paused" in text
