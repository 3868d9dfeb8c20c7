"""The web process, as its supervisor sees it: started, serving, told to leave, gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from pipeline.clock import monotonic_ms
from pipeline.plan import Plan, WebPlan
from pipeline.supervisor.logs import Logs
from pipeline.supervisor.piped import Piped, end_of
from pipeline.supervisor.sockets import Sockets

LABEL = "web"


class WebChild:
    """One web process. `on_change` is called when it serves, and when it is gone: then `code` is not None."""

    def __init__(self, plan: WebPlan, sockets: Sockets, logs: Logs, on_change: Callable[[], None]) -> None:
        self.plan = plan.plan
        self.started = monotonic_ms()
        self.serving = False
        self.leaving = False
        self.code: int | None = None
        self._reason: str | None = None
        self._on_change = on_change
        self._applied: list[asyncio.Future[None]] = []
        descriptors = [sock.fileno() for sock in sockets.both]
        self._process = Piped(
            "pipeline.web.main", descriptors, self._heard, self._ended, logs=logs, label=LABEL
        )
        self.pid = self._process.pid
        self._process.tell(plan)

    def _heard(self, event: dict[str, Any]) -> None:
        match event["event"]:
            case "serving":
                self.serving = True
                self._on_change()
            case "applied" if self._applied:
                self._applied.pop(0).set_result(None)
            case "failed":
                self._reason = str(event.get("reason", ""))

    def _ended(self, code: int) -> None:
        self.code = code
        self.serving = False
        for told in self._applied:
            told.set_result(None)
        self._on_change()

    def change(self, plan: Plan, generation: int) -> asyncio.Future[None]:
        """Another plan counts; the result comes when it does there, or it is gone."""
        self.plan = plan
        told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.code is not None:
            told.set_result(None)
            return told
        self._applied.append(told)
        self._process.tell({"do": "plan", "plan": plan, "generation": generation})
        return told

    def stand(self, reason: str | None) -> None:
        """Whether jobs are worked: None, or why not."""
        if self.code is None:
            self._process.tell({"do": "standing", "reason": reason})

    def leave(self, timeout: int) -> None:
        """Answer what was asked within `timeout` ms, and exit."""
        self.leaving = True
        if self.code is None:
            self._process.tell({"do": "drain", "timeout": timeout})

    def kill(self) -> None:
        """End it now."""
        if self.code is None:
            self._process.kill()

    def memory(self) -> int | None:
        """Its resident memory in bytes, where the system says."""
        return self._process.memory()

    def describe_end(self) -> str:
        """How it ended, for people."""
        return self._reason if self._reason is not None else end_of(self.code)
