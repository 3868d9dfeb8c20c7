"""Keeps the web process: its sockets, its life, what it is told. Whatever becomes of it, jobs go on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal

from pipeline.clock import monotonic_ms
from pipeline.errors import StartError
from pipeline.listen import listener
from pipeline.plan import HttpPlan, WebPlan
from pipeline.status.supervisors import WebState
from pipeline.supervisor.fleet import Fleet
from pipeline.supervisor.host import host_name
from pipeline.supervisor.logs import Logs
from pipeline.supervisor.restarts import Restarts
from pipeline.supervisor.sockets import Sockets
from pipeline.supervisor.webchild import WebChild
from pipeline.units import words

START_SECONDS = 0.5
BIND_MS = 3_000
LASTING_MS = 60_000
LEAVE_MS = 5_000
APPLY_SECONDS = 2.0


class Web:
    """Nothing of it runs when the plan asks for no web process. `generation` tells which plan is published."""

    def __init__(self, fleet: Fleet, url: str, logs: Logs, generation: Callable[[], int]) -> None:
        self._fleet = fleet
        self._broker = url
        self._logs = logs
        self._generation = generation
        self._restarts = Restarts(fleet.plan.supervisor.restart, self._start)
        self._sockets: Sockets | None = None
        self._child: WebChild | None = None
        self._trouble: str | None = None
        self._tried = 0
        self._on = False
        self._gone = asyncio.Event()

    @property
    def pids(self) -> set[int]:
        """Its process, if there is one."""
        return {self._child.pid} if self._child is not None else set()

    def open(self) -> None:
        """Keep it from now on. Its ports are ours at once; the workers start before it does."""
        self._on = True
        self._bind(START_SECONDS)

    def tend(self, reason: str | None) -> None:
        """Once a second: try again for the port, and pass on whether jobs are worked."""
        if not self._on:
            return
        self._restarts.rules = self._fleet.plan.supervisor.restart
        if self._sockets is None:
            self._bind()
        if self._child is not None:
            if self._child.plan is not self._fleet.plan and self._fleet.plan.web is not None:
                self._child.change(self._fleet.plan, self._generation())
            self._child.stand(reason)
            if self._child.serving and monotonic_ms() - self._child.started > LASTING_MS:
                self._restarts.clear()

    async def change(self) -> None:
        """Another plan may count: pass it on, and wait until it is there. A plan may bring a web process, or end it."""
        plan = self._fleet.plan
        if not self._on:
            return
        if plan.web is None:
            await self.close()
            self._on = True
            return
        if self._sockets is None:
            self._bind()
        if self._child is not None and self._child.plan is not plan:
            await asyncio.wait([self._child.change(plan, self._generation())], timeout=APPLY_SECONDS)

    async def close(self) -> None:
        """Let what was asked be answered, and end it."""
        self._on = False
        self._restarts.cancel()
        sockets, self._sockets = self._sockets, None
        if sockets is not None:
            sockets.close()
        if self._child is not None:
            self._gone.clear()
            self._child.leave(LEAVE_MS)
            try:
                async with asyncio.timeout(LEAVE_MS / 1000 + 1):
                    await self._gone.wait()
            except TimeoutError:
                self.kill()

    def kill(self) -> None:
        """End it now."""
        self._on = False
        if self._child is not None:
            self._child.kill()

    @property
    def state(self) -> WebState | None:
        """For `status`; None when the plan asks for none."""
        if self._sockets is None:
            return None if self._trouble is None else WebState("waiting", reason=self._trouble)
        child = self._child
        own = self._sockets
        return WebState(
            _state_of(child, self._trouble),
            own.listen,
            own.ingress,
            self._trouble,
            self._url_of(own),
            None if child is None else child.pid,
            None if child is None else child.memory(),
        )

    def _bind(self, pause: float = 0.0) -> None:
        http = self._fleet.plan.web
        if http is None or (self._tried and monotonic_ms() - self._tried < BIND_MS):
            return
        self._tried = monotonic_ms()
        try:
            self._sockets = Sockets(http)
        except StartError as error:
            if self._trouble != error.message:
                self._trouble = error.message
                self._logs.say(f"{error.message}; the dashboard and webhooks wait for it, jobs go on")
            return
        self._trouble = None
        asyncio.get_running_loop().call_later(pause, self._start)

    def _start(self) -> None:
        if not self._on or self._sockets is None or self._child is not None:
            return
        own = self._sockets
        plan = WebPlan(
            self._fleet.plan, self._broker, self._generation(), own.listen, own.ingress, self._logs.json
        )
        try:
            self._child = WebChild(plan, own, self._logs, self._changed)
        except OSError as error:
            self._fail(str(error))

    def _changed(self) -> None:
        child = self._child
        if child is None:
            return
        if child.code is None:
            self._trouble = None
            if self._sockets is not None:
                own = self._sockets
                self._logs.say(f"dashboard {self._url_of(own)}, webhooks at {own.ingress}")
            return
        self._child = None
        self._gone.set()
        if not child.leaving and self._on:
            self._fail(child.describe_end())

    def _fail(self, why: str) -> None:
        self._restarts.failed()
        self._trouble = why
        pause = self._restarts.back_off()
        self._logs.say(f"the web process ended ({why}): it starts again in {words(pause)}")

    def _url_of(self, own: Sockets) -> str:
        """The dashboard's address: where nobody can tell which of its own addresses a host is reached at, its name."""
        http = self._fleet.plan.web or HttpPlan()
        host, port = listener(own.listen)
        if host in ("0.0.0.0", "::"):  # noqa: S104 - compared only
            host = http.hosts[0] if http.hosts else host_name()
            own_port = "" if ":" in host else f":{port}"
            return f"{_scheme(http)}://{host}{own_port}{http.path}/"
        return f"{_scheme(http)}://{own.listen}{http.path}/"


def _state_of(child: WebChild | None, trouble: str | None) -> Literal["starting", "serving", "backoff"]:
    if child is None:
        return "starting" if trouble is None else "backoff"
    return "serving" if child.serving else "starting"


def _scheme(http: HttpPlan) -> str:
    return "https" if http.tls else "http"
