"""What people see in a terminal: the table of `status`, and the live view of `run` and `status --watch`.

It only draws what it is given. Names and errors come from jobs, so everything is shown as plain text with
control characters written out: a job's name cannot steer the terminal.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from pipeline.schedule import LATE
from pipeline.status.failures import Failure
from pipeline.status.feed import Look
from pipeline.status.figures import BARS, PLAIN_BARS, clock, rate, size, span, spans, spark
from pipeline.status.history import History, Pace
from pipeline.status.notices import SUPERVISOR_STYLES, place
from pipeline.status.queues import QueueState
from pipeline.status.schedules import ScheduleState
from pipeline.status.snapshot import Snapshot
from pipeline.status.supervisors import SupervisorState
from pipeline.status.text import clean
from pipeline.status.troubles import line, troubles

LANE = 16
"""Characters of a lane's name."""
NARROW, WIDE = 72, 118
BESIDE_BARS = 38
WORKERS_SHOWN = 40
SCHEDULES_SHOWN, NAME_WIDTH = 20, 24
FAILURES_SHOWN = 5
# Lines around the queues, around the failures, and kept for the log.
FRAME, FAILURES_FRAME, LOG = 6, 2, 6


# --- the parts -------------------------------------------------------------------------------------------


def header(snapshot: Snapshot) -> Text:
    """Project, generation and broker."""
    sync = {True: ("in sync", "green"), False: ("not in sync", "bold red"), None: ("nothing runs", "yellow")}
    stands = sync[snapshot.in_sync] if snapshot.stale is None else ("STALE", "bold reverse red")
    broker = snapshot.broker
    about = [broker.kind, broker.version, f"durability {broker.durability}" if broker.durability else None]
    memory = size(broker.used_memory) if broker.used_memory else None
    return line(
        (snapshot.name, "bold"),
        f"  generation {snapshot.generation}  " if snapshot.generation else "  ",
        stands,
        "  ·  broker ",
        (", ".join(filter(None, [*about, memory])), "" if broker.ok else "bold red"),
    )


def queue_table(
    queues: dict[str, QueueState], paces: dict[str, Pace] | None, width: int, rows: int | None = None
) -> Table:
    """The queues, one a row; as many columns as the width has room for."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("queue", no_wrap=True, overflow="ellipsis", min_width=8, max_width=28)
    names = ["waiting", "delayed", "active", "completed", "dead"]
    if width >= NARROW:
        names += ["in", "out"] if paces is not None else ["workers", "oldest"]
    if width >= WIDE:
        names += ["run p50 / p99", "wait p50 / p99"]
    if width < NARROW:
        names = ["wait", "delay", "act", "done", "dead"]
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    for name, queue in list(queues.items())[:rows]:
        pace = (paces or {}).get(name, Pace(run_ms=queue.run_ms, wait_ms=queue.wait_ms))
        table.add_row(_queue_name(name, queue), *_cells(queue, pace, len(names), live=paces is not None))
    return table


def _queue_name(name: str, queue: QueueState) -> Text:
    if not queue.in_file:
        return line(name, ("  not in the file", "yellow"))
    stands = "  paused" if queue.paused else "  on hold" if queue.held_until_at is not None else ""
    lane = next((f"  {count:,} in lane {clean(lane)[:LANE]}" for lane, count in queue.lanes.items()), "")
    return line(name, (stands, "yellow"), (lane, "dim"))


def _cells(queue: QueueState, pace: Pace, count: int, *, live: bool) -> list[Text]:
    stuck = queue.waiting and not queue.workers and not queue.paused
    cells = [
        Text(f"{queue.waiting:,}", "yellow" if stuck else ""),
        Text(f"{queue.delayed:,}"),
        Text(f"{queue.active:,}", "cyan" if queue.active else ""),
        Text(f"{queue.completed_total:,}"),
        Text(f"{queue.dead:,}", "bold red" if queue.dead else ""),
    ]
    oldest = "-" if queue.oldest_waiting_ms is None else span(queue.oldest_waiting_ms)
    cells += (
        [Text(rate(pace.incoming)), Text(rate(pace.outgoing), "green" if pace.outgoing else "")]
        if live
        else [Text(str(queue.workers), "yellow" if stuck else ""), Text(oldest)]
    )
    return [*cells, Text(spans(pace.run_ms)), Text(spans(pace.wait_ms))][:count]


def schedule_table(snapshot: Snapshot, width: int) -> Table:
    """The schedules, one a row, those that fire next first."""
    ordered = sorted(snapshot.schedules.items(), key=lambda pair: (pair[1].next_at is None, pair[1].next_at))
    rows = [
        (line(name), line(next_run(one, snapshot.at)), line(_last(one, snapshot.at)), line((one.when, "dim")))
        for name, one in ordered[:SCHEDULES_SHOWN]
    ]
    names, following, last = (max(map(len, column)) for column in (*zip(*rows, strict=True),)[:3])
    names = min(max(names, len("schedule")), NAME_WIDTH)
    # When it fires is cut first: the times are what one looks for.
    rest = max(width - names - max(following, 4) - max(last, 4) - 6, 8)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name, most in (("schedule", names), ("next", None), ("last", None), ("when", rest)):
        table.add_column(name, no_wrap=True, overflow="ellipsis", max_width=most)
    for row in rows:
        table.add_row(*row)
    if len(ordered) > len(rows):
        table.add_row(line((f"and {len(ordered) - len(rows)} more", "dim")))
    return table


def _last(one: ScheduleState, now: int) -> str:
    return "-" if one.last_at is None else clock(one.last_at, now)


def next_run(one: ScheduleState, now: int) -> tuple[str, str]:
    """When a schedule fires next, and the style of it."""
    if one.paused:
        return "paused", "yellow"
    if not one.applied:
        return "not applied yet", "yellow"
    if one.next_at is None:
        return "ended", "dim"
    return ("due", "yellow") if one.next_at < now - LATE else (clock(one.next_at, now), "")


def worker_table(snapshot: Snapshot) -> Table:
    """The worker processes, one a row, with the version of the user's code that each runs."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("worker", no_wrap=True, overflow="ellipsis", max_width=28)
    for name in ("host", "pid", "running", "memory", "code"):
        table.add_column(name, justify="right", no_wrap=True)
    workers = [(one.host, worker) for one in snapshot.live for worker in one.workers]
    for host, worker in workers[:WORKERS_SHOWN]:
        memory = size(worker.memory) if worker.memory else "-"
        cells = (host, str(worker.pid), str(worker.running), memory, worker.code or "-")
        table.add_row(line(worker.name), *map(line, cells))
    if len(workers) > WORKERS_SHOWN:
        table.add_row(line((f"and {len(workers) - WORKERS_SHOWN} more", "dim")))
    return table


def workers_line(snapshot: Snapshot) -> Text:
    """The worker processes, with what they run."""
    workers = [worker for one in snapshot.live for worker in one.workers]
    memory = sum(worker.memory or 0 for worker in workers)
    told = "  ".join(f"{worker.name} {worker.running}" for worker in workers)
    return line(("workers", "dim"), f"  {len(workers)}, {size(memory)}   ", ("running  ", "dim"), told or "-")


def failure_line(failure: Failure) -> Text:
    """One failed attempt."""
    clock = time.strftime("%H:%M:%S", time.localtime(failure.at / 1000))
    what = f"{failure.queue} {failure.name} {failure.id}"
    end = (
        ("dead", "bold red") if failure.dead else (f"attempt {failure.attempt}/{failure.attempts}", "yellow")
    )
    return line((clock, "dim"), f"  {what}  ", end, f"  {failure.error}")


# --- `status` ----------------------------------------------------------------------------------------------


def status(snapshot: Snapshot, width: int, file: str) -> RenderableType:
    """What `pipeline status` prints, with what to do next."""
    parts: list[RenderableType] = [header(snapshot)]
    for one in snapshot.live:
        parts += [_supervisor(one), *_web(one)]
    parts += troubles(snapshot)
    if snapshot.queues:
        parts += [Text(), queue_table(snapshot.queues, None, width)]
    if snapshot.schedules:
        parts += [Text(), schedule_table(snapshot, width)]
    if any(one.workers for one in snapshot.live):
        parts += [Text(), worker_table(snapshot)]
    hints = list(_hints(snapshot, file))
    return Group(*parts, *([Text(), *hints] if hints else []))


def _supervisor(one: SupervisorState) -> Text:
    state = (one.state, SUPERVISOR_STYLES[one.state])
    profile = f"  profile {one.profile}" if one.profile else ""
    generation = f"  generation {one.generation}"
    return line(place(one), "  ", state, generation, profile, "  since ", _when(one.started_at))


def _web(one: SupervisorState) -> Iterator[Text]:
    web = one.web
    if web is not None and web.state == "serving":
        yield line("dashboard ", (web.url or "", "bold"), f"  webhooks at {web.ingress}")
    elif web is not None:
        yield line("no dashboard: ", (web.reason or "it starts", "yellow"))


def _when(at: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at / 1000))


def _hints(snapshot: Snapshot, file: str) -> Iterator[Text]:
    if not snapshot.live:
        yield line("no supervisor runs; start one: ", (f"pipeline run {file}", "bold"))
    elif any(one.held for one in snapshot.live):
        yield line("to go over to the file again: ", ("pipeline reload", "bold"))
    elif snapshot.stale is not None:
        yield line("what is wrong with the file: ", (f"pipeline validate {file}", "bold"))
    yield from _hints_of_queues(snapshot)


def _hints_of_queues(snapshot: Snapshot) -> Iterator[Text]:
    for name, queue in snapshot.queues.items():
        if queue.dead:
            yield line(f"{queue.dead:,} dead in {name}: ", (f"pipeline dead list {name}", "bold"))
        if any(one.field == "paused" and one.value for one in queue.overrides):
            yield line(f"to let {name} go on: ", (f"pipeline resume {name}", "bold"))
        if queue.in_file and any(one.value != one.file for one in queue.overrides):
            yield line(f"to let the file count for {name} again: ", (f"pipeline reset {name}", "bold"))
        if not queue.in_file and (queue.waiting or queue.delayed):
            yield line(f"{name} is not in the file, {queue.waiting:,} waiting: put it back, or ",
                       (f"pipeline purge {name}", "bold"))  # fmt: skip


def outcome(snapshot: Snapshot, width: int) -> RenderableType:
    """What `run` leaves on the terminal when its view ends."""
    hints = list(_hints_of_queues(snapshot))
    return Group(queue_table(snapshot.queues, None, width), *([Text(), *hints] if hints else []))


# --- the live view -----------------------------------------------------------------------------------------


class View:
    """The live view. `show` takes in a look; rich draws it into exactly the terminal's size."""

    def __init__(self, title: str, keys: str, *, logs: Sequence[str] | None = None) -> None:
        self._title = title
        self._keys = keys
        self._logs = logs
        self._history = History()
        self._look = Look(None, [])

    def show(self, look: Look) -> None:
        """This is what there is to draw now."""
        if look.snapshot is not None and look.snapshot is not self._look.snapshot:
            self._history.add(look.snapshot)
        self._look = look

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        height = (options.height or console.height) - 1
        parts = self._parts(options.max_width, height, unicode=options.encoding.startswith("utf"))
        drawn = _rows(parts, console, options)
        drawn += _rows(self._tail(height - len(drawn)), console, options)
        for row in [*drawn, *([] for _ in range(height - len(drawn)))][:height]:
            yield from row
            yield Segment.line()
        yield Text(self._keys, style="dim", no_wrap=True, overflow="ellipsis", end="")

    def _parts(self, width: int, height: int, *, unicode: bool) -> Iterable[RenderableType]:
        look, snapshot = self._look, self._look.snapshot
        if look.problem:
            yield line(("! " + look.problem, "bold red"), "  trying again")
        if snapshot is None:
            yield line((self._title, "bold"), "  looking ...")
            return
        notes = list(troubles(snapshot))
        free = height - len(notes) - FRAME - (LOG if self._logs is not None else 0)
        room = max(min(len(snapshot.queues), free), 2)
        failures = look.failures[: max(min(free - room - FAILURES_FRAME, FAILURES_SHOWN), 0)]
        yield from (header(snapshot), *notes, Text())
        yield from self._queues(snapshot, width, room, unicode=unicode)
        if failures:
            yield from (Text(), line(("last failures", "dim")), *map(failure_line, failures))

    def _tail(self, left: int) -> Iterable[RenderableType]:
        """The newest lines of the log, as many as there is room for."""
        if self._logs is not None and left > 1:
            yield Text()
            yield from [line(text) for text in list(self._logs)[1 - left :]]

    def _queues(
        self, snapshot: Snapshot, width: int, room: int, *, unicode: bool
    ) -> Iterable[RenderableType]:
        paces = {name: self._history.pace(name) for name in snapshot.queues}
        yield queue_table(snapshot.queues, paces, width, room)
        if len(snapshot.queues) > room:
            yield line((f"... and {len(snapshot.queues) - room} more queues", "dim"))
        values = self._history.throughput()[-max(width - BESIDE_BARS, 10) :]
        bars = spark(values, BARS if unicode else PLAIN_BARS)
        peak = max(values, default=0.0)
        yield Text()
        yield line(("done/s ", "dim"), (bars, "green"), (f"  last {len(values)} s, peak ", "dim"), rate(peak))
        yield workers_line(snapshot)


def _rows(parts: Iterable[RenderableType], console: Console, options: ConsoleOptions) -> list[list[Segment]]:
    free = options.update(height=None)
    return [row for part in parts for row in console.render_lines(part, free, pad=False)]
