"""A plan as the values of a file: what a person would write, by its path below the project, pool, queue or job."""

from __future__ import annotations

from typing import Any

import msgspec

from pipeline.flow import FlowPolicy, StepPolicy
from pipeline.job import encode
from pipeline.plan import AlertPlan, HttpPlan, Plan, PoolPlan, ProxyPlan, SchedulePlan
from pipeline.policy import (
    Backoff,
    Batching,
    Deduplication,
    JobPolicy,
    Lanes,
    QueuePolicy,
    Rate,
    Retention,
    Timeout,
    WaitLimit,
)
from pipeline.schedule import written
from pipeline.units import size_words, words
from pipeline.webhook import WebhookPlan

Leaves = dict[str, Any]
"""Values by path. None stands for what the file would leave out, or call null."""


def of_project(plan: Plan) -> Leaves:
    """What is said once, besides pools and queues."""
    own = plan.supervisor
    return {
        "name": plan.name,
        "broker.url": plan.broker.url,
        "broker.durability": plan.broker.durability_words,
        "broker.allow_eviction": plan.broker.allow_eviction,
        "setup": plan.setup,
        "supervisor.stop_timeout": words(own.stop_timeout),
        "supervisor.lease": words(own.lease),
        "supervisor.import_timeout": words(own.import_timeout),
        "supervisor.restart.delay": words(own.restart.delay),
        "supervisor.restart.max": words(own.restart.max),
        "supervisor.restart.give_up_after": own.restart.give_up_after,
        "supervisor.reload.watch": own.reload.watch,
        "supervisor.reload.interval": words(own.reload.interval),
    }


def of_http(own: HttpPlan | None) -> Leaves:
    """What `http` says. Of passwords only whether it is another one can be told."""
    if own is None:
        return {}
    return {
        "listen": own.listen,
        "ingress": own.ingress,
        "path": own.path or None,
        "hosts": _list(own.hosts or None),
        "auth": own.auth,
        **({"tls.certificate": own.tls.certificate, "tls.key": own.tls.key} if own.tls else {}),
        **{f"users.{name}.role": user.role for name, user in own.users.items()},
        **{f"users.{name}.password": user.password for name, user in own.users.items()},
        **{f"tokens.{name}.role": token.role for name, token in own.tokens.items()},
        **{
            f"tokens.{name}.secret": f"the secret {token.secret} ({token.file or token.env})"
            for name, token in own.tokens.items()
        },
        **_proxy(own.proxy),
    }


def _proxy(own: ProxyPlan | None) -> Leaves:
    if own is None:
        return {}
    return {"proxy.header": own.header, "proxy.from": list(own.networks), "proxy.role": own.role}


def of_alert(alert: AlertPlan) -> Leaves:
    """What `alerts.<name>` says."""
    return {
        "url": f"the secret {alert.secret} ({alert.file or alert.env})" if alert.secret else alert.url,
        "command": _list(alert.command or None),
        "format": alert.format,
        "throttle": words(alert.throttle),
        "events": list(alert.events),
        "allow_private": alert.allow_private,
    }


def of_pool(pool: PoolPlan) -> Leaves:
    """What `pools.<name>` says, or a queue with a pool of its own."""
    memory = pool.recycle.max_memory
    return {
        "processes": pool.processes,
        "recycle.max_jobs": pool.recycle.max_jobs,
        "recycle.max_memory": None if memory is None else size_words(memory),
        "recycle.max_age": _time(pool.recycle.max_age),
    }


def of_queue(policy: QueuePolicy) -> Leaves:
    """What holds for the queue as a whole."""
    return {
        "concurrency": policy.concurrency,
        "max_active": policy.max_active,
        **_rate(policy.rate_limit),
        **_lanes(policy.lanes),
        **_wait_limit(policy.wait_limit),
        "dead_letter.queue": policy.dead_letter.queue,
        "dead_letter.alert": policy.dead_letter.alert,
        "executor": policy.executor,
        "executor.max_jobs": policy.executor_max_jobs,
        **_batch(policy.batch),
        "paused": policy.paused,
        "redact": _list(policy.redact or None),
        "max_crashes": policy.max_crashes,
        "max_payload": size_words(policy.max_payload),
        "ids.keep": words(policy.ids_keep),
        **_retention("completed", policy.completed),
        **_retention("dead", policy.dead),
    }


def of_job(job: JobPolicy, *, two_limits: bool) -> Leaves:
    """What holds for one job name. `two_limits`: whether its timeout is written as soft and hard."""
    return {
        "handler": job.handler,
        "around": _list(job.around or None),
        "schema": job.schema,
        "priority": job.priority,
        **_timeout(job.timeout, two_limits),
        "retry.attempts": job.retry.attempts,
        **_backoff(job.retry.backoff),
        "retry.retry_on": _list(job.retry.retry_on),
        "retry.discard_on": _list(job.retry.discard_on or None),
        **_deduplication(job.deduplication),
        "expires": _time(job.expires),
    }


def of_schedule(own: SchedulePlan) -> Leaves:
    """What `schedules.<name>` says."""
    start, end = (None if at is None else written(at, own.timezone) for at in (own.start, own.end))
    return {
        "queue": own.queue,
        "job": own.job,
        "cron": own.cron,
        "every": _time(own.every),
        "timezone": own.timezone,
        "data": None if own.data is None else encode(own.data).decode(),
        "start": start,
        "end": end,
        "limit": own.limit,
        "overlap": own.overlap,
        "catch_up": own.catch_up,
        "jitter": _time(own.jitter),
    }


def of_webhook(own: WebhookPlan) -> Leaves:
    """What `webhooks.<name>` says."""
    verify, rule = own.verify, own.deduplication
    secrets = [f"the secret {one.name} ({one.file or one.env})" for one in verify.secrets]
    return {
        "path": own.path,
        "method": own.method,
        "verify.type": verify.scheme,
        "verify.secret": secrets if len(secrets) > 1 else secrets[0] if secrets else None,
        "verify.user": verify.user,
        "verify.header": verify.header,
        "verify.prefix": verify.prefix or None,
        "verify.algorithm": verify.algorithm,
        "verify.encoding": verify.encoding,
        "verify.signed": verify.signed,
        "verify.timestamp_header": verify.timestamp_header,
        "verify.id_header": verify.id_header,
        "verify.tolerance": words(verify.tolerance),
        "verify.allow_unsigned": verify.allow_unsigned,
        "queue": own.queue,
        "job": own.job,
        "unknown_jobs": own.unknown_jobs,
        "id": own.id,
        "replay": "id+body" if own.replay else "id",
        **_deduplication(rule),
        "data": None if own.data is None else encode(own.data).decode(),
        "schema": own.schema,
        "max_body": size_words(own.max_body),
        "response.status": own.answer.status,
        "response.body": own.answer.body,
        "ids.keep": words(own.keep),
    }


def of_flow(flow: FlowPolicy) -> Leaves:
    """What holds for a flow as a whole."""
    return {
        "timeout": _time(flow.timeout),
        "retention.count": flow.retention.count,
        "retention.age": _time(flow.retention.age),
    }


def of_step(step: StepPolicy) -> Leaves:
    """One step of a flow."""
    return {
        "queue": step.queue,
        "job": step.job,
        "needs": list(step.needs) or None,
        "data": None if step.data is None else msgspec.json.encode(step.data).decode(),
        "for_each": step.for_each,
        "optional": step.optional,
        "on_failure": step.on_failure,
    }


def _rate(limit: Rate | None) -> Leaves:
    return {} if limit is None else {"rate_limit.max": limit.max, "rate_limit.per": words(limit.per)}


def _lanes(lanes: Lanes | None) -> Leaves:
    if lanes is None:
        return {}
    return {
        "lanes.key": lanes.key,
        "lanes.max_active": lanes.max_active,
        **{f"lanes.{path}": value for path, value in _rate(lanes.rate_limit).items()},
        "lanes.order": "strict" if lanes.strict else None,
        "lanes.fair": lanes.fair or None,
    }


def _wait_limit(limit: WaitLimit | None) -> Leaves:
    return {} if limit is None else {"wait_limit.max": words(limit.max), "wait_limit.alert": limit.alert}


def _batch(batch: Batching | None) -> Leaves:
    return {} if batch is None else {"batch.size": batch.size, "batch.wait": words(batch.wait)}


def _retention(state: str, kept: Retention) -> Leaves:
    return {f"retention.{state}.count": kept.count, f"retention.{state}.age": _time(kept.age)}


def _timeout(limit: Timeout, two_limits: bool) -> Leaves:  # noqa: FBT001
    if not two_limits:
        return {"timeout": _time(limit.hard)}
    return {"timeout.soft": _time(limit.soft), "timeout.hard": _time(limit.hard)}


def _backoff(backoff: Backoff | None) -> Leaves:
    if backoff is None:
        return {}
    return {
        "retry.backoff.type": backoff.type,
        "retry.backoff.delay": _time(backoff.delay or None),
        "retry.backoff.max": _time(backoff.max),
        "retry.backoff.jitter": backoff.jitter or None,
        "retry.backoff.delays": [words(delay) for delay in backoff.delays] or None,
    }


def _deduplication(rule: Deduplication | None) -> Leaves:
    if rule is None:
        return {}
    return {
        "deduplication.key": rule.key,
        "deduplication.mode": rule.mode,
        "deduplication.ttl": _time(rule.ttl),
    }


def _list(names: tuple[str, ...] | None) -> list[str] | None:
    return None if names is None else list(names)


def _time(ms: int | None) -> str | None:
    return None if ms is None else words(ms)
