"""The web process: `python -m pipeline.web.main IN OUT LISTEN INGRESS`, inherited descriptors.

Its WebPlan comes down IN as a line of JSON, then the supervisor's orders: `plan` (another one counts), `standing`
(its word on readiness, once a second) and `drain`. LISTEN and INGRESS are sockets that listen already. It exits 0
when it was told to, and 78 when it cannot start. It imports no user code.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from typing import Any

import msgspec

from pipeline.clock import monotonic_ms
from pipeline.errors import CANNOT_START, StartError
from pipeline.log import configure
from pipeline.plan import Plan, WebPlan
from pipeline.telemetry.switch import begin
from pipeline.web.app import App
from pipeline.web.certificate import Certificate
from pipeline.web.identity import Crowd
from pipeline.web.ingress import Ingress
from pipeline.web.received import Received
from pipeline.web.serve import Server
from pipeline.web.shop import Shop, Standing
from pipeline.worker.boot import new_loop
from pipeline.worker.pipes import Start, Up, first_line, follow

log = logging.getLogger(__name__)


class Web:
    """The process: two servers, and what the supervisor says."""

    def __init__(self, plan: WebPlan, listen: int, ingress: int, up: Up) -> None:
        self.shop = Shop(plan)
        self._up = up
        self._ingress = Ingress(self.shop)
        tls = plan.http.tls
        self._certificate = Certificate(tls, plan.plan.root) if tls is not None else None
        context = self._certificate.context if self._certificate is not None else None
        crowded = Crowd(plan.http)
        self._servers = (
            Server(App(self.shop), socket.socket(fileno=listen), context, crowded),
            Server(self._ingress, socket.socket(fileno=ingress), context, crowded),
        )
        self._drain_seconds: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Serve until told to leave."""
        received = Received(self.shop)
        beside = [asyncio.ensure_future(self.shop.line.run()), asyncio.ensure_future(received.run())]
        if self._certificate is not None:
            beside.append(asyncio.ensure_future(self._certificate.follow()))
        for server in self._servers:
            await server.start()
        self._up.tell("serving")
        if (token := self.shop.access.printed) is not None:
            log.info("sign in with the token %s (shown only now; `pipeline token` makes another one)", token)
        seconds = await self._drain_seconds
        self.shop.stopping.set()
        await asyncio.gather(*(server.stop(seconds) for server in self._servers))
        await received.tell()
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        await self._ingress.close()
        await self.shop.client.close()
        self.shop.desk.close()

    def obey(self, order: dict[str, Any]) -> None:
        """What comes down the pipe."""
        match order["do"]:
            case "standing":
                self.shop.standing = Standing(monotonic_ms(), order["reason"])
            case "plan":
                self.shop.plan = msgspec.convert(order["plan"], Plan)
                self.shop.generation = order["generation"]
                self._ingress.change()
                self._up.tell("applied")
            case "drain" if not self._drain_seconds.done():
                self._drain_seconds.set_result(order["timeout"] / 1000)


async def serve(plan: WebPlan, orders: int, start: Start, listen: int, ingress: int, up: Up) -> int:
    """Serve until told to leave: the exit code."""
    try:
        web = Web(plan, listen, ingress, up)
    except (OSError, StartError) as error:
        what = "the certificate cannot be used: " if isinstance(error, OSError) else ""
        up.tell("failed", reason=f"{what}{error}")
        return CANNOT_START
    await follow(orders, start, web.obey)
    await web.run()
    return 0


def main(orders: int, events: int, listen: int, ingress: int) -> int:
    """Start, or say why not. The exit code."""
    # Ctrl-C reaches the supervisor, which stays in charge; a terminal's other signals do too.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    up = Up(events)
    start = first_line(orders)
    plan = msgspec.json.decode(start.line, type=WebPlan)
    configure(json=plan.json_logs)
    flush = begin(plan.plan.name, "web")
    code = new_loop().run_until_complete(serve(plan, orders, start, listen, ingress, up))
    flush()
    return code


if __name__ == "__main__":
    code = main(*map(int, sys.argv[1:]))
    logging.shutdown()
    sys.stdout.flush()
    os._exit(code)
