"""The metrics of a project: what is measured, by the names under which Prometheus keeps it. Pure.

Every one has the label `project`. Labels are bounded by the file: queues, pools, alerts, webhooks, and job names (of a queue
200 at most); never a job.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Mapping

from pipeline import __version__
from pipeline.plan import Plan
from pipeline.status.flows import FlowFigures
from pipeline.status.histogram import buckets_of
from pipeline.status.measures import Measures, QueueMeasures
from pipeline.status.supervisors import PoolState, SupervisorState
from pipeline.store.tally import Totals
from pipeline.web.exposition import Family, Histogram

BOUNDS = (1, 3, 5, *range(7, 21), 22, 24, 26)
"""The buckets that are told: 2**i tenths of a ms, from 0.2 ms to two hours."""
STATES = ("waiting", "delayed", "active", "completed", "dead", "cancelled")
ENDS = ("completed", "dead", "cancelled")
RESULTS = ("completed", "failed", "dead")
REASONS = ("died", "cannot_start", "retired", "rolled")
POOL_STATES = ("starting", "running", "backoff", "fatal", "stopping")
SUPERVISOR_STATES = ("ready", "stale", "behind", "stopping")


def families(plan: Plan, measures: Measures | None) -> list[Family]:
    """All metrics of the project; without measures, since the broker is away, those that say so. What the plan names is
    told from the beginning, as 0: a rate needs a value before the first."""
    own = [_build(), _up(measures is not None)]
    if measures is not None:
        own += [
            *_jobs(measures.queues),
            *_ends(plan, measures.queues),
            *_times(measures.queues),
            *_queues(measures),
            *_pools(measures),
            *_config(measures),
            *_totals(plan, measures.totals),
            *_flows(measures.flows),
            *_broker(measures),
        ]
    for family in own:
        family.labels = ("project", *family.labels)
        family.rows = [((plan.name, *labels), value) for labels, value in family.rows]
    return own


def _build() -> Family:
    labels = ("version", "python")
    return Family(
        "info", "pipeline_build", "What runs.", labels, [((__version__, platform.python_version()), 1)]
    )


def _up(up: bool) -> Family:  # noqa: FBT001 - a value to be told
    return Family("gauge", "pipeline_broker_up", "Whether the broker answers.", (), [((), int(up))])


def _jobs(queues: Mapping[str, QueueMeasures]) -> Iterator[Family]:
    kept = Family("gauge", "pipeline_jobs", "Jobs that are kept now, by their state.", ("queue", "state"))
    oldest = Family(
        "gauge",
        "pipeline_queue_oldest_waiting_seconds",
        "For how long the oldest waiting job has waited.",
        ("queue",),
    )
    for queue, measured in queues.items():
        counts = measured.counts
        for state in STATES:
            kept.add(getattr(counts, state), queue, state)
        since = counts.time if counts.oldest_at is None else min(counts.oldest_at, counts.time)
        oldest.add((counts.time - since) / 1000, queue)
    return iter((kept, oldest))


def _ends(plan: Plan, queues: Mapping[str, QueueMeasures]) -> Iterator[Family]:
    def family(what: str, help: str, *labels: str) -> Family:
        return Family("counter", f"pipeline_{what}", help, ("queue", *labels))

    enqueued = family("jobs_enqueued", "Jobs that came.")
    ended = family("jobs_ended", "Jobs that ended, by how.", "state")
    processed = family("jobs_processed", "Attempts that ended, by the job's name and how.", "job", "result")
    others = {
        "redriven": family("jobs_redriven", "Dead jobs that people had run again."),
        "purged": family("jobs_purged", "Waiting jobs that people deleted."),
        "duplicates": family("jobs_duplicate", "Enqueued jobs that were there already."),
        "reruns": family("jobs_rerun", "Jobs that had begun and ran again through no fault of theirs."),
        "lost_leases": family("lost_leases", "Ends of jobs that did not count: their lease was lost."),
    }
    for queue, measured in queues.items():
        stats = measured.counts.stats
        enqueued.add(measured.counts.enqueued, queue)
        for state in ENDS:
            ended.add(stats.get(state, 0), queue, state)
        for field, rows in others.items():
            rows.add(stats.get(field, 0), queue)
        names = plan.queues[queue].jobs if queue in plan.queues else ()
        nothing = {(result, name): 0 for name in names for result in RESULTS}
        for (outcome, name), count in sorted((nothing | dict(measured.ends)).items()):
            processed.add(count, queue, name or "(other)", outcome)
    return iter((enqueued, ended, processed, *others.values()))


def _times(queues: Mapping[str, QueueMeasures]) -> Iterator[Family]:
    kinds = (
        ("run", "pipeline_job_duration_seconds", "How long attempts ran."),
        ("wait", "pipeline_job_wait_seconds", "How long jobs had been there when an attempt began."),
    )
    for kind, name, help in kinds:
        family = Family("histogram", name, help, ("queue",))
        for queue, measured in queues.items():
            stats = measured.counts.stats
            family.add(_histogram(buckets_of(stats, f"{kind}:"), stats.get(f"{kind}_us", 0)), queue)
        yield family


def _histogram(buckets: Mapping[int, int], microseconds: int) -> Histogram:
    told = []
    for bound in BOUNDS:
        below = sum(count for bucket, count in buckets.items() if bucket <= bound)
        told.append((2.0**bound / 10_000, below))
    return Histogram(told, microseconds / 1e6, sum(buckets.values()))


def _queues(measures: Measures) -> Iterator[Family]:
    paused = Family("gauge", "pipeline_queue_paused", "Whether a person or the file stopped it.", ("queue",))
    workers = Family(
        "gauge",
        "pipeline_workers",
        "Workers that the broker knows, by whether they have jobs.",
        ("queue", "state"),
    )
    for queue, measured in measures.queues.items():
        counts = measured.counts
        paused.add(int(counts.paused is not None), queue)
        workers.add(min(counts.parked, counts.workers), queue, "idle")
        workers.add(max(counts.workers - counts.parked, 0), queue, "busy")
    return iter((paused, workers))


def _pools(measures: Measures) -> Iterator[Family]:
    pools = Family("gauge", "pipeline_pools", "Pools of the supervisors, by their state.", ("queue", "state"))
    states = _states(one for supervisor in measures.supervisors for one in supervisor.pools)
    for queue in measures.queues:
        for state in POOL_STATES:
            pools.add(states.get((queue, state), 0), queue, state)
    yield pools
    alive = Family("gauge", "pipeline_supervisors", "Supervisors that live, by their state.", ("state",))
    for state in SUPERVISOR_STATES:
        alive.add(sum(one.state == state for one in measures.supervisors), state)
    yield alive


def _states(pools: Iterable[PoolState]) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for pool in pools:
        found[pool.queue, pool.state] = found.get((pool.queue, pool.state), 0) + 1
    return found


def _config(measures: Measures) -> Iterator[Family]:
    yield Family(
        "gauge",
        "pipeline_config_generation",
        "The newest generation that was applied.",
        (),
        [((), measures.generation)],
    )
    live = measures.supervisors
    info = Family("info", "pipeline_config", "Which configs run.", ("generation", "hash"))
    for generation, hash in sorted({(one.generation, one.hash) for one in live}):
        info.add(1, str(generation), hash)
    yield info
    if live:
        yield Family(
            "gauge",
            "pipeline_config_last_reload_successful",
            "Whether every supervisor runs the file as it is.",
            (),
            [((), int(not any(map(_is_rejected, live))))],
        )
        last = max(one.reloaded_at or one.started_at for one in live)
        yield Family(
            "gauge",
            "pipeline_config_last_reload_success_timestamp_seconds",
            "When a config was applied last.",
            (),
            [((), last / 1000)],
        )


def _is_rejected(one: SupervisorState) -> bool:
    return one.state == "stale" and not one.held


def _totals(plan: Plan, totals: Totals) -> Iterator[Family]:
    kinds = {
        "reloads": ("pipeline_config_reloads", "Reloads of the file, by what came of them.", ("result",)),
        "restarts": (
            "pipeline_worker_restarts",
            "Workers that were replaced, by their pool and why.",
            ("pool", "reason"),
        ),
        "alerts": ("pipeline_alerts_sent", "Alerts, by whether they arrived.", ("alert", "result")),
        "ingress": (
            "pipeline_ingress_requests",
            "Deliveries of webhooks, by what became of them.",
            ("endpoint", "outcome"),
        ),
    }
    found = {kind: Family("counter", name, help, labels) for kind, (name, help, labels) in kinds.items()}
    nothing = dict.fromkeys(_from_the_beginning(plan), 0)
    for (kind, *labels), count in sorted((nothing | totals).items()):
        if kind in found and len(labels) == len(found[kind].labels):
            found[kind].add(count, *labels)
    return iter(found.values())


def _from_the_beginning(plan: Plan) -> Iterator[tuple[str, ...]]:
    for result in ("applied", "failed"):
        yield "reloads", result
    for pool in plan.pools:
        for reason in REASONS:
            yield "restarts", pool, reason
    for alert in plan.alerts:
        for result in ("sent", "failed"):
            yield "alerts", alert, result
    for webhook in plan.webhooks:
        for outcome in ("created", "duplicate", "unavailable"):
            yield "ingress", webhook, outcome


def _flows(flows: Mapping[str, FlowFigures]) -> Iterator[Family]:
    going = Family("gauge", "pipeline_flows_open", "Flows that have not ended.", ("flow",))
    started = Family("counter", "pipeline_flows_started", "Flows that began.", ("flow",))
    ended = Family("counter", "pipeline_flows_ended", "Flows that ended, by how.", ("flow", "state"))
    for flow, figures in flows.items():
        going.add(figures.open, flow)
        started.add(figures.started_total, flow)
        for state in ("completed", "failed", "cancelled"):
            ended.add(getattr(figures, f"{state}_total"), flow, state)
    return iter((going, started, ended))


def _broker(measures: Measures) -> Iterator[Family]:
    yield Family(
        "gauge",
        "pipeline_broker_used_memory_bytes",
        "What the broker holds.",
        (),
        [((), measures.used_memory)],
    )
    yield Family(
        "gauge",
        "pipeline_broker_max_memory_bytes",
        "What it may hold; 0 is no bound.",
        (),
        [((), measures.max_memory)],
    )
