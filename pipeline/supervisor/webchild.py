"""The web process, as its supervisor sees it: started, serving, told to leave, gone."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.clock import monotonic_ms
from pipeline.exits import Exit, kill_group
from pipeline.plan import Plan, WebPlan
from pipeline.supervisor.logs import Logs
from pipeline.supervisor.pipes import Down, Up
from pipeline.supervisor.sockets import Sockets
from pipeline.supervisor.spawn import spawn

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
        orders, down = os.pipe()
        up, events = os.pipe()
        output, printed = os.pipe()
        inherited = (orders, events, *(sock.fileno() for sock in sockets.both))
        command = [sys.executable, "-m", "pipeline.web.main", *map(str, inherited)]
        try:
            self._process = spawn(
                command, output=printed, pass_fds=inherited, environment={"PYTHONUNBUFFERED": "1"}
            )
        except OSError:
            for fd in (down, up, output):
                os.close(fd)
            raise
        finally:
            for fd in (orders, events, printed):
                os.close(fd)
        self.pid = self._process.pid
        self._down = Down(down)
        self._up = Up(up, self._heard)
        self._tap = logs.follow(output, None, LABEL)
        self._exit = Exit(asyncio.get_running_loop(), self._process, self._ended)
        self._down.tell(plan)

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
        self._up.close()
        self._tap.close()
        self._down.close()
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
        self._down.tell({"do": "plan", "plan": plan, "generation": generation})
        return told

    def stand(self, reason: str | None) -> None:
        """Whether jobs are worked: None, or why not."""
        if self.code is None:
            self._down.tell({"do": "standing", "reason": reason})

    def leave(self, timeout: int) -> None:
        """Answer what was asked within `timeout` ms, and exit."""
        self.leaving = True
        if self.code is None:
            self._down.tell({"do": "drain", "timeout": timeout})

    def kill(self) -> None:
        """End it now."""
        if self.code is None:
            kill_group(self._process)

    def memory(self) -> int | None:
        """Its resident memory in bytes, where the system says."""
        try:
            pages = Path(f"/proc/{self.pid}/statm").read_text().split()[1]
        except (OSError, IndexError):
            return None
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def describe_end(self) -> str:
        """How it ended, for people."""
        if self._reason is not None:
            return self._reason
        if self.code is None or self.code >= 0:
            return f"exit code {self.code}"
        return signal.Signals(-self.code).name
