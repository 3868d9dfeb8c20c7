"""The supervisors and their workers, as each supervisor last said of itself."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

from pipeline.units import words


class PoolState(Struct, frozen=True):
    """One queue's workers under one supervisor: the processes of the pool named `pool`.

    `recycled` counts the workers that were replaced because they had done enough, by the limit that they reached.
    """

    queue: str
    state: Literal["starting", "running", "backoff", "fatal", "stopping"]
    processes: int
    reason: str | None = None
    pool: str = ""
    recycled: dict[str, int] = {}


class RunningState(Struct, frozen=True):
    """A job that a worker runs, since when and until when, in ms since 1970."""

    queue: str
    id: str
    since_at: int
    deadline_at: int | None = None


class WorkerState(Struct, frozen=True):
    """A worker process: how many jobs it runs, its memory in bytes, and which of the user's code it loaded. `jobs` are
    some of those that it runs, told only while somebody looks."""

    name: str
    pid: int
    running: int
    memory: int | None = None
    code: str | None = None
    started_at: int | None = None
    jobs: list[RunningState] | None = None


class WebState(Struct, frozen=True):
    """The web process: where it listens, with its ports; `reason` says why it does not serve. `url` is the dashboard's,
    `memory` in bytes."""

    state: Literal["waiting", "starting", "serving", "backoff"]
    listen: str | None = None
    ingress: str | None = None
    reason: str | None = None
    url: str | None = None
    pid: int | None = None
    memory: int | None = None


class SupervisorState(Struct, frozen=True):
    """A supervisor, as it last said of itself; it lives for as long as its word counts, which is `until`.

    `stale`: the file on disk is not what runs, and cannot be applied; `held`: because somebody went back to an
    older generation. `alerts` are those that do not arrive, with why.
    """

    host: str
    pid: int
    generation: int
    hash: str
    state: Literal["ready", "stale", "behind", "stopping"]
    reason: str | None
    started_at: int
    pools: list[PoolState] = []
    workers: list[WorkerState] = []
    until: int = 0
    profile: str | None = None
    held: bool = False
    reloads_total: int = 0
    failed_reloads_total: int = 0
    reloaded_at: int | None = None
    alerts: dict[str, str] = {}
    web: WebState | None = None


def read(records: Mapping[str, Mapping[str, Any]], time: int) -> list[SupervisorState]:
    """The supervisors behind these records, the oldest first. One that is silent at `time` is stale as well."""
    found = []
    for record in records.values():
        # Another version of this program may have written it.
        with contextlib.suppress(msgspec.ValidationError):
            one = msgspec.convert(record, SupervisorState)
            if one.until < time:
                reason = f"no sign of life for {words((time - one.until) // 1000 * 1000 or 1000)}"
                one = msgspec.structs.replace(one, state="stale", reason=reason)
            found.append(one)
    return sorted(found, key=lambda one: (one.started_at, one.host, one.pid))
