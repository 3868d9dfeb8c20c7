"""Whether the queues of this supervisor are worked right now."""

from __future__ import annotations

from pipeline.supervisor.fleet import Fleet
from pipeline.supervisor.pool import DEAF_MS, Pool


def why_not_ready(fleet: Fleet, *, connected: bool, stopping: bool) -> str | None:
    """None when every pool has a worker that takes jobs and hears of the broker; else the reason, for people."""
    if stopping:
        return "it is stopping"
    if not connected:
        return "the broker is away"
    if fleet.quiet:
        return "it is quiet: no new jobs are taken until `pipeline quiet --off`"
    return next((reason for pool in fleet.serving if (reason := _why_not(pool)) is not None), None)


def _why_not(pool: Pool) -> str | None:
    if not pool.wanted:
        return None
    taking = [child for child in pool.children if child.serving and child.state == "running"]
    if not taking:
        return f"no worker of {pool.name} takes jobs ({pool.state})"
    if all(child.deaf_for() > DEAF_MS for child in taking):
        return f"no worker of {pool.name} hears of the broker"
    return None
