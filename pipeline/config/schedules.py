"""What must hold of a schedule: that it fires, and that the job which it would enqueue can be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from msgspec.structs import replace
from pydantic import ValidationError

from pipeline.clock import now_ms
from pipeline.config.checks import Scope
from pipeline.config.layers import block
from pipeline.config.model import JobBlock, QueueBlock, ScheduleBlock
from pipeline.config.references import References, Use
from pipeline.config.report import Report
from pipeline.config.resolve import schedule_of
from pipeline.config.schema import payload_checker
from pipeline.config.tree import Mapping as Tree
from pipeline.config.tree import Path, Span, child, find, is_null, key_span, value_span
from pipeline.config.values import plain
from pipeline.job import encode
from pipeline.schedule import can_fire
from pipeline.template import render

MOST = 1_000
Schemas = Mapping[str, dict[str, Any]]


@dataclass(frozen=True)
class _Schedule:
    """One schedule of the file, and where it stands."""

    name: str
    block: ScheduleBlock
    node: Tree
    key: Span
    report: Report

    @property
    def path(self) -> Path:
        return ("schedules", self.name)

    def error(
        self, code: str, message: str, step: str | None = None, help: str = "", *, key: bool = False
    ) -> None:
        """Report an error at the value (or the key) of `step`, or at the schedule's own key."""
        if step is None or child(self.node, step) is None:
            self.report.error(
                code, message, self.key, self.path if step is None else (*self.path, step), help
            )
        else:
            place = (key_span if key else value_span)(self.node, (step,))
            self.report.error(code, message, place, (*self.path, step), help)


def check_schedules(
    tree: Tree,
    written: Tree,
    scopes: Sequence[Scope],
    schemas: Schemas,
    references: References,
    report: Report,
) -> None:
    """Everything about the schedules of a file. `scopes` are its queues and jobs, `schemas` those that could be read."""
    entries = block(child(tree, "schedules")).entries
    if len(entries) > MOST:
        message = f"{len(entries):,} schedules, and at most {MOST:,} are possible"
        report.error(
            "P336", message, key_span(tree, ("schedules",)), ("schedules",), "let one job enqueue the others"
        )
        return
    known = {scope.path: scope for scope in scopes}
    for schedule in _read(tree, report):
        if not _is_mistaken(schedule, written):
            _rhythm(schedule)
        if (scope := _target(schedule, written, known, references)) is not None:
            _job(schedule, scope, known[scope.path[:2]], schemas)


def _read(tree: Tree, report: Report) -> Iterator[_Schedule]:
    for name, entry in block(child(tree, "schedules")).entries.items():
        try:
            read = ScheduleBlock.model_validate(plain(block(entry.value), ("schedules", name)))
        except ValidationError:
            continue
        yield _Schedule(name, read, block(entry.value), entry.key, report)


def _is_mistaken(schedule: _Schedule, written: Tree) -> bool:
    """Whether something of it has a finding, and so is not in the tree any more: it may have said when it fires."""
    was = block(find(written, schedule.path)).entries
    return any(
        name not in schedule.node.entries and not is_null(entry.value) and not name.startswith("x-")
        for name, entry in was.items()
    )


# --- when it fires ----------------------------------------------------------------------------------------


def _rhythm(schedule: _Schedule) -> None:
    own = schedule.block
    if (own.cron is None) == (own.every is None):
        if own.cron is None:
            schedule.error(
                "P331", "the schedule needs `cron` or `every`", help='cron: "15 2 * * *" or every: 5m'
            )
        else:
            schedule.error(
                "P331", "a schedule has `cron` or `every`, not both", "every", "remove one", key=True
            )
        return
    if own.timezone is not None and own.cron is None and not any(map(_is_local, (own.start, own.end))):
        message = "`every` is the same in every time zone"
        schedule.error("P333", message, "timezone", "remove it, or write `cron`", key=True)
    plan = schedule_of(own)
    if not can_fire(replace(plan, start=None, end=None)):
        schedule.error("P332", "this never fires: there is no such day", "cron")
    elif plan.start is not None and plan.end is not None and not can_fire(plan):
        schedule.error("P332", "this never fires: no time of it lies between `start` and `end`", "end")
    elif plan.end is not None and plan.end < now_ms():
        help = "remove the schedule, or give it another `end`"
        place = value_span(schedule.node, ("end",))
        schedule.report.warning("P431", "this schedule has ended", place, (*schedule.path, "end"), help)


def _is_local(text: str | None) -> bool:
    return text is not None and datetime.fromisoformat(text).tzinfo is None


# --- what it enqueues -------------------------------------------------------------------------------------


def _target(
    schedule: _Schedule, written: Tree, known: Mapping[Path, Scope], references: References
) -> Scope | None:
    """The queue or the job that its jobs go by; None when there is none, or it has findings already."""
    own, home = schedule.block, ("queues", schedule.block.queue)
    if not _is_there(schedule, "queue", own.queue, ("queues",), written, references):
        return None
    queue = find(written, home)
    if find(queue, ("jobs", own.job)) is not None:
        return known.get((*home, "jobs", own.job))
    if child(queue, "handler") is None and isinstance(queue, Tree):
        _is_there(schedule, "job", own.job, (*home, "jobs"), written, references)
        return None
    return known.get(home)


def _is_there(
    schedule: _Schedule, step: str, name: str, home: Path, written: Tree, references: References
) -> bool:
    """Whether `name` is a key of the map at `home`."""
    message = f"the file has no queue '{name}'" if step == "queue" else f"the queue has no job '{name}'"
    return references.has(
        written, home, name, Use("P221", message, value_span(schedule.node, (step,)), (*schedule.path, step))
    )


def _job(schedule: _Schedule, scope: Scope, queue: Scope, schemas: Schemas) -> None:
    own, rule = schedule.block, scope.settings.deduplication
    size = len(encode(own.data))
    if isinstance(queue.settings, QueueBlock) and size > queue.settings.max_payload:
        message = f"the payload has {size:,} bytes, and the queue takes {queue.settings.max_payload:,}"
        schedule.error("P334", message, "data")
    elif problem := _payload_problem(own, scope.settings, queue.settings, schemas):
        schedule.error("P334", problem, "data")
    if rule is not None and rule.mode == "debounce" and own.jitter is not None:
        message = f"{own.job!r} is debounced: its deduplication says when it runs"
        schedule.error("P334", message, "jitter", "remove `jitter`", key=True)
    if rule is not None and rule.mode == "until_done" and own.overlap == "replace":
        message = "deduplication until_done keeps out what should replace the job before"
        schedule.error("P335", message, "overlap", "write overlap: skip")


def _payload_problem(
    own: ScheduleBlock, settings: QueueBlock | JobBlock, queue: QueueBlock | JobBlock, schemas: Schemas
) -> str | None:
    """Why a producer's call with this payload would be refused, or None."""
    schema = schemas.get(settings.schema_ or "") if isinstance(settings, JobBlock) else None
    if schema is not None and (problem := payload_checker(schema)(own.data)):
        return f"the payload does not fit its schema: {problem}"
    lanes = queue.lanes if isinstance(queue, QueueBlock) else None
    for what, rule in (("deduplication key", settings.deduplication), ("lane", lanes)):
        try:
            if rule is not None and rule.key is not None:
                render(rule.key, {"data": own.data, "name": own.job, "queue": own.queue, "hash": "any"})
        except LookupError as error:
            return f"no {what}: {error.args[0]}"
    return None
