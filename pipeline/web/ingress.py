"""The webhooks' ASGI app: everything that comes in on `http.ingress`."""

from __future__ import annotations

from pipeline.web.request import Receive, Scope, Send
from pipeline.web.shop import Shop


class Ingress:
    """Answers for the webhooks of the plan that runs; at every other path there is nothing."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        headers = [(b"content-length", b"0"), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 404, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    def change(self) -> None:
        """Another plan counts from the next request on: `shop.plan`."""
