"""Settings that cannot work together (errors), and those that work and surprise (warnings)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from pipeline import units
from pipeline.config.findings import has_password
from pipeline.config.model import ExecutorBlock, JobBlock, QueueBlock, SupervisorBlock
from pipeline.config.policy_blocks import RateLimitBlock, RetryBlock, TimeoutBlock
from pipeline.config.report import Report
from pipeline.config.resolve import executor_of, rate_of, retry_of, timeout_of
from pipeline.config.suggest import near
from pipeline.config.tree import Mapping, Node, Path, Scalar, Span, child, find, key_span, value_span
from pipeline.policy import MAX_CONCURRENCY
from pipeline.retry import pauses

SHORT_LEASE = 5_000
_CHECKED = (
    "handler",
    "jobs",
    "timeout",
    "retry",
    "deduplication",
    "retention",
    "rate_limit",
    "lanes",
    "dead_letter",
    "wait_limit",
)
QUICKEST = 1
"""The ms that even a job takes that does nothing."""


@dataclass(frozen=True)
class Scope:
    """A queue, or one of its jobs, with everything merged. `touched` are keys that have findings already."""

    path: Path
    node: Mapping
    key: Span
    settings: QueueBlock | JobBlock
    touched: frozenset[str]

    def at(self, *steps: str, key: bool = False) -> Span:
        """The place of the value (or the key) at `steps`, or of the nearest one above."""
        while steps and find(self.node, steps) is None:
            steps = steps[:-1]
        if not steps:
            return self.key
        return key_span(self.node, steps) if key else value_span(self.node, steps)

    def has(self, *steps: str) -> bool:
        return find(self.node, steps) is not None


def scopes(queues: dict[str, tuple[QueueBlock, Mapping, Span]], broken: list[Path]) -> Iterator[Scope]:
    """Every queue and every job of it."""
    everywhere = frozenset(_touched(path for path in broken if path[:1] != ("queues",)))
    of_queue: dict[Path, list[Path]] = {}
    for path in broken:
        of_queue.setdefault(path[:2], []).append(path)
    for name, (queue, node, place) in queues.items():
        path = ("queues", name)
        touched = everywhere.union(_touched(of_queue.get(path, ())))
        yield Scope(path, node, place, queue, touched)
        jobs = child(node, "jobs")
        for job, settings in queue.jobs.items():
            if isinstance(jobs, Mapping) and isinstance(own := child(jobs, job), Mapping):
                yield Scope((*path, "jobs", job), own, jobs.entries[job].key, settings, touched)


def _touched(broken: Iterable[Path]) -> Iterator[str]:
    """The keys of queues that have findings; a mistyped one counts for what was meant."""
    for path in broken:
        if path[:1] == ("retries",):
            yield "retry"
        if path[:1] in (("defaults",), ("queues",)):
            yield from (near(str(step), _CHECKED) or str(step) for step in path[1:])


def check_scope(scope: Scope, report: Report) -> None:
    """The errors of one queue or job, and the warnings that need nothing else."""
    for key, check in _CHECKS:
        if key not in scope.touched:
            check(scope, report)


def _timeout(scope: Scope, report: Report) -> None:
    limit = timeout_of(scope.settings)
    if limit.soft is not None and limit.hard is not None and limit.soft >= limit.hard:
        built_in = "" if scope.has("timeout", "hard") else " (built-in)"
        message = f"the soft limit {units.words(limit.soft)} is not below the hard one, " + units.words(
            limit.hard
        )
        help = "SoftTimeout must have time to be handled: raise `hard` or lower `soft`"
        report.error(
            "P301", message + built_in, scope.at("timeout", "soft"), (*scope.path, "timeout", "soft"), help
        )


def _retry(scope: Scope, report: Report) -> None:
    retry = scope.settings.retry
    if isinstance(retry, RetryBlock):
        check_policy(retry, child(scope.node, "retry"), (*scope.path, "retry"), report)


def check_policy(retry: RetryBlock, node: Node | None, path: Path, report: Report) -> None:
    """The errors of one resolved retry policy, which `node` is the tree of."""
    backoff = retry.backoff
    written = child(node, "backoff")
    if backoff is None or not isinstance(node, Mapping) or not isinstance(written, Mapping):
        return
    path, key = (*path, "backoff"), node.entries["backoff"].key
    needed = "delays" if backoff.type == "list" else "delay"
    if backoff.type is None:
        report.error("P306", "the backoff has no `type`", key, path, "fixed, linear, exponential or list")
        return
    if (not getattr(backoff, needed) and needed not in written.entries) or getattr(backoff, needed) == ():
        report.error("P306", f"a backoff of type {backoff.type} needs `{needed}`", key, path)
    for name in ("delay", "max") if backoff.type == "list" else ("delays",):
        if name in written.entries and getattr(backoff, name) is not None:
            message = f"a backoff of type {backoff.type} does not use `{name}`"
            report.error("P306", message, written.entries[name].key, (*path, name), "remove it")
    if backoff.type != "list" and backoff.max is not None and backoff.max < (backoff.delay or 0):
        message = f"`max` is shorter than `delay`, {units.words(backoff.delay or 0)}"
        report.error("P302", message, value_span(written, ("max",)), (*path, "max"))


def _deduplication(scope: Scope, report: Report) -> None:
    rule = scope.settings.deduplication
    if rule is None:
        return
    path: Path = (*scope.path, "deduplication")
    if rule.key is None:
        help = 'for instance key: "{data.order_id}"'
        report.error("P309", "deduplication needs a `key`", scope.at("deduplication", key=True), path, help)
    if rule.mode in ("throttle", "debounce") and rule.ttl is None:
        place = scope.at("deduplication", key=True)
        report.error("P303", f"{rule.mode} needs a `ttl`", place, path, "for instance ttl: 10m")
    if rule.mode in ("until_done", "keep_last") and rule.ttl is not None:
        place = scope.at("deduplication", "ttl", key=True)
        help = "remove `ttl`, or write mode: throttle"
        report.error("P304", f"{rule.mode} ends with the job and takes no `ttl`", place, (*path, "ttl"), help)


def _handler(scope: Scope, report: Report) -> None:
    if scope.has("handler"):
        return
    if isinstance(scope.settings, QueueBlock):
        if not scope.settings.jobs and "jobs" not in scope.touched:
            help = "write handler: package.module:function, or handler: null for a queue that only stores"
            report.error("P305", "the queue needs `handler` or `jobs`", scope.key, scope.path, help)
    else:
        help = "write handler: package.module:function, here or in the queue"
        report.error("P308", "the job has no handler", scope.key, scope.path, help)


def _retention(scope: Scope, report: Report) -> None:
    if not isinstance(scope.settings, QueueBlock):
        return
    for kind in ("completed", "dead"):
        kept = getattr(scope.settings.retention, kind)
        if kept.count is None and kept.age is None:
            path: Path = (*scope.path, "retention", kind)
            message, place = f"{kind} jobs are kept for ever", scope.at("retention", kind)
            report.warning("P402", message, place, path, "give `count` or `age`")


def _rate_limit(scope: Scope, report: Report) -> None:
    queue = scope.settings
    if not isinstance(queue, QueueBlock) or queue.rate_limit is None:
        return
    path: Path = (*scope.path, "rate_limit")
    limit = rate_of(queue.rate_limit)
    if limit is None:
        _incomplete(queue.rate_limit, scope, path, report)
        return
    at_once = queue.concurrency * queue.processes
    if limit.max > at_once * limit.per / QUICKEST and not scope.touched & {"concurrency", "processes"}:
        message = f"{at_once:,} at once on this host never start {limit.max:,} in {units.words(limit.per)}"
        help = "raise `concurrency` or `processes`, or leave the limit out"
        report.warning("P410", message, scope.at("rate_limit", "max"), (*path, "max"), help)


def _incomplete(limit: RateLimitBlock, scope: Scope, path: Path, report: Report) -> None:
    missing = "max" if limit.max is None else "per"
    place = scope.at(*map(str, path[len(scope.path) :]), key=True)
    report.error("P315", f"a rate limit needs `{missing}`", place, path, "for instance {max: 50, per: 1s}")


def _lanes(scope: Scope, report: Report) -> None:
    queue = scope.settings
    if not isinstance(queue, QueueBlock) or queue.lanes is None:
        return
    lanes, place, path = queue.lanes, scope.at("lanes", key=True), (*scope.path, "lanes")
    if lanes.key is None:
        report.error("P320", "lanes need a `key`", place, path, 'for instance key: "{data.sku}"')
    if lanes.rate_limit is not None and rate_of(lanes.rate_limit) is None:
        _incomplete(lanes.rate_limit, scope, (*path, "rate_limit"), report)
    if not (lanes.max_active or lanes.rate_limit or lanes.order or lanes.fair):
        help = "max_active: 1, order: strict, fair: true, or a rate_limit"
        report.error("P321", "nothing holds for these lanes", place, path, help)
    if lanes.order == "strict" and lanes.max_active not in (None, 1):
        message = f"in strict order a lane runs one job at a time, not {lanes.max_active}"
        help = "leave `order` or `max_active` out"
        report.error("P322", message, scope.at("lanes", "max_active"), (*path, "max_active"), help)


def _last(scope: Scope, report: Report) -> None:
    rule, queue = scope.settings.deduplication, scope.settings
    if (
        rule is not None
        and rule.mode == "keep_last"
        and isinstance(queue, QueueBlock)
        and queue.lanes is not None
    ):
        message = "keep_last has lanes of its own, one for each deduplication key"
        help = "put these jobs into another queue, or choose another mode"
        path = (*scope.path, "deduplication", "mode")
        report.error("P323", message, scope.at("deduplication", "mode"), path, help)


def _window(scope: Scope, report: Report) -> None:
    rule = scope.settings.deduplication
    if rule is None or rule.ttl is None or rule.mode != "throttle":
        return
    span = sum(pauses(retry_of(scope.settings.retry)))
    if span > rule.ttl:
        message = f"retries go on for up to {units.words(span)}, beyond this window"
        help = "from then on a repeat is a new job; use mode: until_done, or a longer ttl"
        path: Path = (*scope.path, "deduplication", "ttl")
        report.warning("P405", message, scope.at("deduplication", "ttl"), path, help)


_CHECKS: tuple[tuple[str, Callable[[Scope, Report], None]], ...] = (
    ("timeout", _timeout),
    ("retry", _retry),
    ("deduplication", _deduplication),
    ("handler", _handler),
    ("retention", _retention),
    ("rate_limit", _rate_limit),
    ("lanes", _lanes),
    ("lanes", _last),
    ("deduplication", _window),
)


def written_limit(scope: Scope) -> int | None:
    """The hard limit in ms if it is written in the file, and has no finding."""
    steps = _limit_steps(scope)
    return timeout_of(scope.settings).hard if scope.has(*steps) and "timeout" not in scope.touched else None


def _limit_steps(scope: Scope) -> tuple[str, ...]:
    return ("timeout", "hard") if isinstance(scope.settings.timeout, TimeoutBlock) else ("timeout",)


def check_stop(scope: Scope, supervisor: SupervisorBlock, report: Report) -> None:
    """Warnings about limits that are written in the file, against how the product can keep them."""
    hard = written_limit(scope)
    if hard is not None and hard > supervisor.stop_timeout:
        message = (
            f"a job may take {units.words(hard)}, and a stop waits {units.words(supervisor.stop_timeout)}"
        )
        help = "raise supervisor.stop_timeout, or expect jobs to be released and run again"
        steps = _limit_steps(scope)
        report.warning("P401", message, scope.at(*steps), (*scope.path, *steps), help)


def check_active(scope: Scope, report: Report) -> None:
    """A note about room that is never used."""
    queue = scope.settings
    if not isinstance(queue, QueueBlock) or queue.max_active is None or not scope.has("concurrency"):
        return
    if queue.max_active < queue.concurrency and not scope.touched & {"concurrency", "max_active"}:
        message = f"only {queue.max_active:,} of {queue.concurrency:,} jobs at once can run, over all hosts"
        help = "lower `concurrency`, or raise `max_active`"
        report.note("P407", message, scope.at("max_active"), (*scope.path, "max_active"), help)


def check_threads(scope: Scope, report: Report) -> None:
    """The warning about threads, which no hard limit can stop."""
    queue = scope.settings
    if not isinstance(queue, QueueBlock) or executor_of(queue) != "thread" or queue.concurrency == 1:
        return
    limited = any(timeout_of(job).hard is not None for job in (queue, *queue.jobs.values()))
    if limited and (scope.has("timeout") or any(scope.has("jobs", job, "timeout") for job in queue.jobs)):
        message = "threads cannot be stopped: at the hard limit all jobs of the process are replaced"
        help = "concurrency: 1 with more `processes`, or async handlers"
        report.warning("P403", message, scope.at("executor"), (*scope.path, "executor"), help)


def check_processes(scope: Scope, report: Report) -> None:
    """What a process for each slot does not do, and what it costs."""
    queue = scope.settings
    if not isinstance(queue, QueueBlock) or "executor" in scope.touched:
        return
    executor, block = executor_of(queue), queue.executor
    if executor != "process" and isinstance(block, ExecutorBlock) and block.max_jobs is not None:
        path: Path = (*scope.path, "executor", "max_jobs")
        message = f"an executor of type {executor} has no processes that `max_jobs` could replace"
        help = "write type: process, or recycle: {max_jobs: ...} for the worker"
        report.error("P316", message, scope.at("executor", "max_jobs", key=True), path, help)
    if executor == "process" and not scope.has("concurrency") and "concurrency" not in scope.touched:
        message = f"each worker starts {queue.concurrency} processes, the default of `concurrency`"
        help = "write how many: about as many as there are processors"
        report.note("P411", message, scope.at("executor"), (*scope.path, "executor"), help)


def check_batch(scope: Scope, report: Report) -> None:
    """What a queue of batches cannot do."""
    queue = scope.settings
    if not isinstance(queue, QueueBlock) or queue.batch is None or "batch" in scope.touched:
        return
    path: Path = (*scope.path, "batch")
    if queue.batch.size is None:
        place = scope.at("batch", key=True)
        report.error("P317", "a batch needs a `size`", place, path, "for instance {size: 100, wait: 200ms}")
    elif queue.concurrency * queue.batch.size > MAX_CONCURRENCY and "concurrency" not in scope.touched:
        message = f"{queue.concurrency:,} batches of {queue.batch.size:,} jobs are too many for one process"
        help = f"concurrency times size is {MAX_CONCURRENCY:,} at most"
        report.error("P317", message, scope.at("batch", "size"), (*path, "size"), help)
    if "executor" not in scope.touched and executor_of(queue) == "process":
        message = "a process of a slot runs one job at a time"
        help = "use another executor, or leave `batch` out"
        report.error("P318", message, scope.at("batch", key=True), path, help)


def check_top(tree: Mapping, written: Mapping, report: Report) -> None:
    """The version, and a password that stands in the file."""
    version = child(tree, "version")
    if isinstance(version, Scalar) and version.value is not None and str(version.value) != "1":
        report.error("P113", "this program reads version 1", version.span, ("version",), "write version: 1")
    url = find(written, ("broker", "url"))
    if isinstance(url, Scalar) and has_password(url.text):
        message = "a password stands in the file"
        help = "write ${PASSWORD}, and set it in the environment"
        report.warning("P404", message, url.span, ("broker", "url"), help)
    queues = child(tree, "queues")
    if isinstance(queues, Mapping) and not queues.entries and queues == child(written, "queues"):
        report.error("P307", "the file declares no queue", key_span(tree, ("queues",)), ("queues",))


def check_broker(tree: Mapping, written: Mapping, report: Report) -> None:
    """The embedded broker has no replicas that could confirm a job."""
    path = ("broker", "durability", "replicas")
    url = find(tree, ("broker", "url")) or find(written, ("broker", "url"))
    embedded = url is None or (isinstance(url, Scalar) and url.value in (None, "embedded"))
    if embedded and find(tree, path) is not None:
        message = "the embedded broker has no replicas"
        help = "write durability: fsync, or the broker.url of a server that has some"
        report.error("P314", message, key_span(tree, path), path, help)


def check_supervisor(supervisor: SupervisorBlock, tree: Mapping, report: Report) -> None:
    """The back-off of workers, and the leases."""
    restart, path = supervisor.restart, ("supervisor", "restart", "max")
    if restart.max < restart.delay:
        message = f"`max` is shorter than `delay`, {units.words(restart.delay)}"
        report.error("P302", message, value_span(tree, path), path)
    if supervisor.lease < SHORT_LEASE:
        lease = ("supervisor", "lease")
        message = f"a host that is silent for {units.words(supervisor.lease)} loses its jobs"
        help = "5s bridges a busy machine and a slow network; 15s is the default"
        report.warning("P408", message, value_span(tree, lease), lease, help)
