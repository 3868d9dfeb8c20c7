"""Config -> Plan: a config whose every reference is resolved, as the plain values that processes get."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from pipeline.config.flow_blocks import FlowBlock
from pipeline.config.http import HttpBlock
from pipeline.config.model import (
    BatchBlock,
    BrokerBlock,
    Config,
    DurabilityBlock,
    ExecutorBlock,
    JobBlock,
    JobSettings,
    QueueBlock,
    ScheduleBlock,
    SecretBlock,
)
from pipeline.config.policy_blocks import (
    BackoffBlock,
    DeduplicationBlock,
    LanesBlock,
    RateLimitBlock,
    RetryBlock,
    TimeoutBlock,
)
from pipeline.config.receivers import AlertBlock, AlertSecret, WaitLimitBlock
from pipeline.config.webhook_plans import webhook_of
from pipeline.flow import FlowPolicy, StepPolicy
from pipeline.plan import (
    AlertPlan,
    BrokerPlan,
    HttpPlan,
    Plan,
    PoolPlan,
    ProxyPlan,
    RecyclePlan,
    ReloadPlan,
    RestartPlan,
    SchedulePlan,
    SupervisorPlan,
    TlsPlan,
    TokenPlan,
    UserPlan,
)
from pipeline.policy import (
    Backoff,
    Batching,
    DeadLetter,
    Deduplication,
    JobPolicy,
    Lanes,
    QueuePolicy,
    Rate,
    Retention,
    RetryPolicy,
    Timeout,
    WaitLimit,
)
from pipeline.schedule import moment

Schemas = Mapping[str, dict[str, Any]]


def build(config: Config, schemas: Schemas, root: Path, file: Path) -> Plan:
    """The plan of a resolved config (layers.py). `schemas` holds the content of every schema file."""
    queues = {name: _queue(name, queue, schemas) for name, queue in config.queues.items()}
    pools = {name: _pool(config, name, members) for name, members in members_of(config.queues).items()}
    schedules = {name: schedule_of(schedule) for name, schedule in config.schedules.items()}
    flows = {name: _flow(name, flow) for name, flow in config.flows.items()}
    supervisor = _supervisor(config)
    alerts = {name: alert_of(alert, config.secrets) for name, alert in config.alerts.items()}
    webhooks = {name: webhook_of(hook, config.secrets, schemas) for name, hook in config.webhooks.items()}
    return Plan(
        name=config.name,
        root=str(root),
        file=str(file),
        hash=_digest(
            config.name,
            config.setup,
            _durability(config.broker),
            supervisor,
            queues,
            pools,
            schedules,
            alerts,
            flows,
            webhooks,
        ),
        broker=BrokerPlan(_address(config.broker), _durability(config.broker), config.broker.allow_eviction),
        supervisor=supervisor,
        setup=config.setup,
        queues=queues,
        pools=pools,
        schedules=schedules,
        alerts=alerts,
        flows=flows,
        http=None if config.http is None else http_of(config.http, config.secrets),
        webhooks=webhooks,
    )


def _durability(broker: BrokerBlock) -> Literal["everysec", "fsync"] | int:
    written = broker.durability
    return written.replicas if isinstance(written, DurabilityBlock) else written


def _address(broker: BrokerBlock) -> str:
    """The broker's address; empty when it is a secret that is not set."""
    return broker.url if isinstance(broker.url, str) else ""


def _digest(*content: Any) -> str:
    """Names what runs, and not how it is written: comments and order of keys do not count.

    The broker's address is left out: hosts may reach the same one at different ones. Its durability is not:
    producers must hear of another one at once.
    """
    raw = msgspec.json.encode(content, order="deterministic")
    return hashlib.sha256(raw).hexdigest()[:16]


def _supervisor(config: Config) -> SupervisorPlan:
    own, restart = config.supervisor, config.supervisor.restart
    back_off = RestartPlan(restart.delay, restart.max, restart.give_up_after)
    reload = ReloadPlan(own.reload.watch, own.reload.interval)
    return SupervisorPlan(own.stop_timeout, own.lease, own.import_timeout, back_off, reload)


def members_of(queues: Mapping[str, QueueBlock]) -> dict[str, tuple[str, ...]]:
    """The queues of each pool: one that names none has a pool of its own name."""
    members: dict[str, tuple[str, ...]] = {}
    for name, queue in queues.items():
        pool = queue.pool or name
        members[pool] = (*members.get(pool, ()), name)
    return members


def _pool(config: Config, name: str, members: tuple[str, ...]) -> PoolPlan:
    """What `pools` says of a shared pool counts for all of its queues, else what the queue says."""
    sized = config.pools.get(name) or config.queues[members[0]]
    own = sized.recycle
    # Sorted: the order of the file does not change what runs.
    return PoolPlan(
        tuple(sorted(members)), sized.processes, RecyclePlan(own.max_jobs, own.max_memory, own.max_age)
    )


def _flow(name: str, flow: FlowBlock) -> FlowPolicy:
    steps = {
        step: StepPolicy(own.queue, own.job, own.needs, own.data, own.for_each, own.optional, own.on_failure)
        for step, own in flow.steps.items()
    }
    return FlowPolicy(name, steps, flow.timeout, Retention(flow.retention.count, flow.retention.age))


def _queue(name: str, queue: QueueBlock, schemas: Schemas) -> QueuePolicy:
    kept = queue.retention
    others = "handler" in queue.model_fields_set
    return QueuePolicy(
        name=name,
        jobs={job: _job(settings, schemas) for job, settings in queue.jobs.items()},
        others=_settings(queue, queue.handler) if others else None,
        concurrency=queue.concurrency,
        max_active=queue.max_active,
        rate_limit=rate_of(queue.rate_limit),
        lanes=lanes_of(queue.lanes),
        wait_limit=wait_limit_of(queue.wait_limit),
        dead_letter=DeadLetter(queue.dead_letter.queue, queue.dead_letter.alert)
        if queue.dead_letter
        else DeadLetter(),
        completed=Retention(kept.completed.count, kept.completed.age),
        dead=Retention(kept.dead.count, kept.dead.age),
        ids_keep=queue.ids.keep,
        max_crashes=queue.max_crashes,
        max_payload=queue.max_payload,
        executor=executor_of(queue),
        executor_max_jobs=queue.executor.max_jobs if isinstance(queue.executor, ExecutorBlock) else None,
        batch=batch_of(queue.batch),
        paused=queue.paused,
        redact=queue.redact,
    )


def schedule_of(block: ScheduleBlock) -> SchedulePlan:
    """The plain schedule of a block."""
    timezone = block.timezone or "UTC"
    return SchedulePlan(
        queue=block.queue,
        job=block.job,
        cron=block.cron,
        every=block.every,
        timezone=timezone,
        data=block.data,
        start=None if block.start is None else moment(block.start, timezone),
        end=None if block.end is None else moment(block.end, timezone),
        limit=block.limit,
        overlap=block.overlap,
        catch_up=block.catch_up,
        jitter=block.jitter,
    )


def _job(job: JobBlock, schemas: Schemas) -> JobPolicy:
    return _settings(job, job.handler, schemas[job.schema_] if job.schema_ is not None else None)


def _settings(settings: JobSettings, handler: str | None, schema: dict[str, Any] | None = None) -> JobPolicy:
    return JobPolicy(
        handler=handler,
        timeout=timeout_of(settings),
        retry=retry_of(settings.retry),
        priority=settings.priority,
        deduplication=_deduplication(settings.deduplication),
        expires=settings.expires,
        around=settings.around,
        schema=schema,
    )


def batch_of(block: BatchBlock | None) -> Batching | None:
    """How jobs are batched, or None when they are not, or the block lacks its size."""
    return None if block is None or block.size is None else Batching(block.size, block.wait)


def executor_of(queue: QueueBlock) -> Literal["auto", "async", "thread", "process"]:
    """Where the handlers of a queue run."""
    return queue.executor.type if isinstance(queue.executor, ExecutorBlock) else queue.executor


def timeout_of(settings: JobSettings) -> Timeout:
    """The limits of an attempt in ms; a plain duration is the hard one."""
    if isinstance(settings.timeout, TimeoutBlock):
        return Timeout(settings.timeout.soft, settings.timeout.hard)
    return Timeout(None, settings.timeout)


def retry_of(retry: str | RetryBlock | None) -> RetryPolicy:
    """The plain policy of a resolved block; without one a job runs once."""
    if not isinstance(retry, RetryBlock):
        return RetryPolicy()
    return RetryPolicy(retry.attempts, backoff_of(retry), retry.retry_on, retry.discard_on)


def backoff_of(retry: RetryBlock) -> Backoff | None:
    """The pauses of a policy, or None when it has none, or none that could be computed."""
    block: BackoffBlock | None = retry.backoff
    if block is None or block.type is None or (block.type == "list" and not block.delays):
        return None
    return Backoff(block.type, block.delay or 0, block.max, block.jitter, block.delays or ())


def rate_of(block: RateLimitBlock | None) -> Rate | None:
    """The limit, or None when there is none, or one that lacks a part."""
    return None if block is None or block.max is None or block.per is None else Rate(block.max, block.per)


def lanes_of(block: LanesBlock | None) -> Lanes | None:
    """The lanes, or None when there are none, or they have no key."""
    if block is None or block.key is None:
        return None
    strict = block.order == "strict"
    return Lanes(block.key, 1 if strict else block.max_active, rate_of(block.rate_limit), strict, block.fair)


def wait_limit_of(block: WaitLimitBlock | None) -> WaitLimit | None:
    """The limit, or None when there is none, or one that lacks a part."""
    return (
        None
        if block is None or block.max is None or block.alert is None
        else WaitLimit(block.max, block.alert)
    )


def alert_of(alert: AlertBlock, secrets: Mapping[str, SecretBlock]) -> AlertPlan:
    """Who is told. Of a secret the plan has the place, and not the value."""
    url = alert.url if isinstance(alert.url, str) else None
    secret = alert.url.secret if isinstance(alert.url, AlertSecret) else None
    source = secrets.get(secret, SecretBlock()) if secret is not None else SecretBlock()
    return AlertPlan(
        url,
        secret,
        source.file,
        source.env,
        alert.command or (),
        alert.format,
        alert.throttle,
        # Sorted: the order of the file does not change what runs.
        tuple(sorted(set(alert.events))),
        alert.allow_private,
    )


def http_of(block: HttpBlock, secrets: Mapping[str, SecretBlock]) -> HttpPlan:
    """What the web process is told. Of a token the plan has the place, and not the value."""
    proxy = block.proxy
    return HttpPlan(
        block.listen,
        block.ingress,
        block.path or "",
        block.hosts,
        TlsPlan(block.tls.certificate, block.tls.key) if block.tls else None,
        block.auth,
        {name: UserPlan(user.role, user.password) for name, user in block.users.items()},
        {
            name: TokenPlan(token.role, token.secret.secret, source.file, source.env)
            for name, token in block.tokens.items()
            for source in (secrets.get(token.secret.secret, SecretBlock()),)
        },
        ProxyPlan(proxy.from_, proxy.header, proxy.role) if proxy else None,
    )


def _deduplication(block: DeduplicationBlock | None) -> Deduplication | None:
    return None if block is None or block.key is None else Deduplication(block.key, block.mode, block.ttl)
