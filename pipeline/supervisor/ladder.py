"""How a supervisor stops: drain, then release, then kill. Each step has a time limit; none is taken back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pipeline.clock import monotonic_ms
from pipeline.supervisor.fleet import Fleet
from pipeline.supervisor.logs import Logs
from pipeline.supervisor.notify import Notify
from pipeline.units import words

RELEASE_SECONDS = 4.0
"""What a worker needs at most to give back its jobs, also when the broker is slow."""
TELL_SECONDS = 5.0
RUNNING, DRAINING, RELEASING, KILLING = range(4)


class Ladder:
    """The steps of a stop over all pools. `step` is how far it went."""

    def __init__(self, fleet: Fleet, logs: Logs, notify: Notify) -> None:
        self._fleet = fleet
        self._logs = logs
        self._notify = notify
        self._loop = asyncio.get_running_loop()
        self._timers: list[asyncio.TimerHandle] = []
        self._until = 0
        self.step = RUNNING
        self.hurried = False

    def drain(self, why: str) -> None:
        """Take no new jobs, and let what runs end within `stop_timeout`."""
        if self.step >= DRAINING:
            return
        running = sum(child.busy for child in self._fleet.children)
        rest = f"; {running} running jobs have {words(self._timeout)} to end" if running else ""
        self._logs.say(f"{why}: stopping{rest}")
        self._begin()

    def _begin(self) -> None:
        self.step = DRAINING
        self._notify.stopping()
        self._until = monotonic_ms() + self._timeout
        for pool in self._fleet.pools:
            pool.stop()
        self._later(self._timeout / 1000 + RELEASE_SECONDS, self.kill)
        self._later(TELL_SECONDS, self._tell)

    def release(self, why: str) -> None:
        """Give back what runs, at no cost to the jobs."""
        if self.step >= RELEASING:
            return
        self._logs.say(why)
        if self.step < DRAINING:
            self._begin()
        self.step = RELEASING
        for child in list(self._fleet.children):
            child.release()
        self._later(RELEASE_SECONDS, self.kill)

    def kill(self) -> None:
        """End every worker now; its jobs run again, and are not blamed."""
        self.step = KILLING
        for child in list(self._fleet.children):
            child.kill()

    def interrupt(self, why: str) -> None:
        """Ctrl-C: each one goes a step further."""
        if self.step == RUNNING:
            self.drain(why)
            self._logs.say("once more (Ctrl-C) releases them at once")
        elif self.step == DRAINING:
            self.hurried = True
            self.release("released: these jobs will run again; once more (Ctrl-C) kills the workers")
        else:
            self.hurried = True
            self.kill()

    def end(self) -> None:
        """Every worker is gone."""
        for timer in self._timers:
            timer.cancel()

    def _tell(self) -> None:
        rest = max(self._until - monotonic_ms(), 0) // 1000
        now = monotonic_ms()
        for child in list(self._fleet.children):
            running = [(job.begun, queue, job.id) for queue, jobs in child.running().items() for job in jobs]
            for begun, queue, id in sorted(running)[:5]:
                self._logs.say(
                    f"{child.label}: job {id} of {queue} has run for {(now - begun) // 1000} s, {rest} s are left"
                )
        self._later(TELL_SECONDS, self._tell)

    @property
    def _timeout(self) -> int:
        return self._fleet.plan.supervisor.stop_timeout

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        self._timers.append(self._loop.call_later(seconds, act))
