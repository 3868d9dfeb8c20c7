"""What is asked of a running supervisor: go over to the file as it is now, back to an older generation, to new code.

One at a time. The state here tells whether what runs is what the file says, and if not, why.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import AbstractContextManager, nullcontext

from msgspec.structs import replace

from pipeline.clock import monotonic_ms, now_ms
from pipeline.config.findings import render
from pipeline.config.load import load
from pipeline.control import Outcome, Status
from pipeline.errors import BrokerError
from pipeline.plan import Plan
from pipeline.status.disk import nearby
from pipeline.store import history
from pipeline.store.call import run
from pipeline.store.history import Applied, Cause
from pipeline.supervisor.fleet import Fleet
from pipeline.supervisor.link import Link
from pipeline.supervisor.logs import Logs
from pipeline.supervisor.publish import Publisher
from pipeline.supervisor.transition import NeedsRestart, Rejected, Transition

HELD = "rolled back: the file waits until it changes, or for `pipeline reload`"


class Reloader:
    """Never raises: an outcome tells what came of it. `trouble` is why the file is not what runs; `reloading` is
    entered while a change is tried."""

    def __init__(
        self,
        fleet: Fleet,
        transition: Transition,
        publisher: Publisher,
        link: Link,
        logs: Logs,
        reloading: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._fleet = fleet
        self._transition = transition
        self._publisher = publisher
        self._link = link
        self._logs = logs
        self._reloading = reloading
        self._one = asyncio.Lock()
        self.inputs = fleet.plan.inputs
        self.trouble: str | None = None
        self.held = False
        self.transient = False
        """What stands in the way may pass by itself."""
        self.applied = self.failed = 0
        self.applied_at: int | None = None

    @property
    def mistake(self) -> str | None:
        """Why the file cannot be applied before somebody mends it."""
        return None if self.held or self.transient else self.trouble

    async def reload(self, by: str, if_generation: int | None = None) -> Outcome:
        """Go over to the file as it is now; with `if_generation` only from that one."""
        async with self._one:
            now = self._publisher.published.generation
            if if_generation not in (None, now):
                return Outcome("conflict", now, reason=f"generation {now} runs, not {if_generation}")
            return await self._judged(self._from_file, Cause("reload", by))

    async def rollback(self, to: int | None, by: str) -> Outcome:
        """Go back to generation `to`, or to the one before. The file is held until it changes."""
        async with self._one:
            try:
                found = await self._from_history(to)
            except (Rejected, BrokerError) as error:
                return self._refused(error, 0)
            cause = Cause("rollback", by, found.generation)
            outcome = await self._attempt(lambda: self._here(found.plan), (), cause)
            if outcome.status in ("applied", "unchanged"):
                self.trouble, self.held, self.transient = HELD, True, False
            return outcome

    async def restart(self, pools: Collection[str], by: str) -> Outcome:
        """New processes for these pools, and with them new code."""
        async with self._one:
            return await self._attempt(lambda: self._here(self._fleet.plan), pools, Cause("restart", by))

    # --- where a plan comes from -----------------------------------------------------------------------

    async def _here(self, plan: Plan) -> Plan:
        """A plan of before, where this supervisor is now."""
        running = self._fleet.plan
        here = ("root", "file", "broker", "http", "profile", "inputs", "secrets")
        return replace(plan, **{name: getattr(running, name) for name in here})

    async def _from_file(self) -> Plan:
        running = self._fleet.plan
        loaded = await asyncio.to_thread(
            load, nearby(running.file), profile=running.profile, secrets="required"
        )
        self.inputs = loaded.inputs
        if loaded.plan is None:
            raise Rejected(render(one for one in loaded.findings if one.severity == "error"))
        self._logs.hide(loaded.plan.secrets)
        return loaded.plan

    async def _from_history(self, to: int | None) -> Applied:
        running, now = self._fleet.plan, self._publisher.published.generation
        if self._link.connection is None:
            raise Rejected("the broker is away, which keeps the generations")
        kept = await run(self._link.connection, history.read(running.name))
        older = [one for one in kept if one.generation < now and one.hash != running.hash]
        found = next((one for one in (kept if to else older) if to in (None, one.generation)), None)
        if found is None:
            numbers = ", ".join(str(one.generation) for one in kept) or "none"
            raise Rejected(
                f"generation {to} is not kept" if to else "no older generation is kept",
                f"there are: {numbers}",
            )
        return found

    # --- what comes of it ------------------------------------------------------------------------------

    async def _judged(self, source: Callable[[], Awaitable[Plan]], cause: Cause) -> Outcome:
        """An attempt whose outcome is that of the file."""
        outcome = await self._attempt(source, (), cause)
        self.trouble, self.transient = outcome.reason, outcome.transient
        self.held = self.held and outcome.reason is not None
        return outcome

    async def _attempt(
        self, source: Callable[[], Awaitable[Plan]], also: Collection[str], cause: Cause
    ) -> Outcome:
        started = monotonic_ms()
        try:
            with self._reloading():
                changes = await self._transition.make(await source(), also, cause)
        except (NeedsRestart, Rejected, BrokerError) as error:
            return self._refused(error, monotonic_ms() - started)
        except Exception as error:  # noqa: BLE001 - whatever a file brings about, what runs must go on
            told = Rejected(f"this should not happen: {type(error).__name__}: {error}", "please report it")
            return self._refused(told, monotonic_ms() - started)
        took = monotonic_ms() - started
        generation = self._publisher.published.generation
        if changes is None:
            return Outcome("unchanged", generation, took_ms=took)
        self.applied += 1
        self.applied_at = now_ms()
        lines = [str(change) for change in changes]
        self._logs.say(
            "\n".join([f"{cause.origin} by {cause.by}: generation {generation}, in {took} ms", *lines])
        )
        return Outcome("applied", generation, lines, took_ms=took)

    def _refused(self, error: NeedsRestart | Rejected | BrokerError, took: int) -> Outcome:
        self.failed += 1
        transient = isinstance(error, BrokerError) or (isinstance(error, Rejected) and error.transient)
        reason = f"{error.message}\n{error.help}".strip()
        status: Status = "restart_required" if isinstance(error, NeedsRestart) else "rejected"
        generation = self._publisher.published.generation
        if reason != self.trouble:
            self._logs.say(f"NOT applied, generation {generation} goes on:\n{reason}")
        return Outcome(status, generation, reason=reason, took_ms=took, transient=transient)
