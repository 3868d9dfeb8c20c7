"""The webhooks' ASGI app: everything that comes in on `http.ingress`.

Size, headers, time, signature, then the job in one call, what the broker must confirm, and only then the answer. Why a
sender was not believed is said here, in a count and now and then in the log, and never to the sender.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable

from pipeline.async_client import AsyncClient
from pipeline.errors import (
    BrokerError,
    EnqueueError,
    NoPolicy,
    PayloadTooLarge,
    PipelineError,
    UnknownJob,
    UnknownQueue,
)
from pipeline.job import encode
from pipeline.store.store import Accepted
from pipeline.web import verify
from pipeline.web.hook import Hook, Roots, secret_of
from pipeline.web.request import Receive, Scope, Send, read_body
from pipeline.web.response import JSON, Refused, refusal
from pipeline.web.shop import Shop
from pipeline.web.told import Told
from pipeline.webhook import WebhookPlan

SECONDS = 0.9
"""For the broker; a sender hears within a second that it is away."""
RETRY_SECONDS = 2
LOOK_SECONDS = 2.0
"""How often secrets are read again."""
Answer = tuple[int, bytes, list[tuple[bytes, bytes]]]
Ways = dict[bytes, dict[str, Hook]]


class Ingress:
    """Answers for the webhooks of the plan that runs; at every other path there is nothing."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._client = AsyncClient(shop.web.broker, name=shop.project, timeout=SECONDS)
        self._ways: Ways = {}
        self._told = Told("webhook")
        self._clock: asyncio.TimerHandle | None = None
        self._look()

    def change(self) -> None:
        """Another plan counts from the next request on: `shop.plan`."""
        before = {hook.name: hook for ways in self._ways.values() for hook in ways.values()}
        ways: Ways = {}
        for name, plan in self._shop.plan.webhooks.items():
            hook = self._hook(name, plan, before.get(name))
            ways.setdefault(plan.path.encode(), {})[plan.method] = hook
        self._ways = ways

    def _hook(self, name: str, plan: WebhookPlan, before: Hook | None) -> Hook:
        root = self._shop.plan.root
        secrets = tuple(secret_of(source, root, os.environ) for source in plan.verify.secrets)
        if before is not None and before.plan == plan and before.secrets == secrets:
            return before
        hook = Hook(name, plan, secrets)
        if hook.trouble is not None:
            self._told.say(f"{name} takes nothing: its secret cannot be used: {hook.trouble}")
        return hook

    def _look(self) -> None:
        self.change()
        self._told.flush()
        self._clock = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look)

    async def close(self) -> None:
        """Hang up."""
        if self._clock is not None:
            self._clock.cancel()
        await self._client.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        status, body, headers = await self._answer(scope, receive)
        headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        ways = self._ways.get(scope["raw_path"])
        if ways is None:
            return self._done("", "not_found", (404, b"", _closing()))
        hook = ways.get(scope["method"])
        if hook is None:
            allowed = ", ".join(sorted(ways)).encode()
            return self._done("", "wrong_method", (405, b"", [*_closing(), (b"allow", allowed)]))
        try:
            return await self._take(hook, scope, receive)
        except verify.Refused as error:
            self._told.count(f"{hook.name} refused a request: {error.reason}")
            return self._done(hook.name, error.reason, (401, b"", []))
        except Refused as error:
            return self._done(hook.name, error.code, _refused(error))
        except PipelineError as error:
            return self._failed(hook, error)

    async def _take(self, hook: Hook, scope: Scope, receive: Receive) -> Answer:
        headers = verify.Headers(scope["headers"])
        if headers.one(b"content-length") is None:
            raise Refused(
                411, "length_required", "say how long the body is", "send Content-Length", close=True
            )
        body = await read_body(scope, receive, hook.plan.max_body)
        if hook.trouble is not None:
            return self._done(hook.name, "no_secret", _away())
        hook.verify(headers, body, self._shop.clock() / 1000)
        if hook.is_slack and (challenge := _challenge(hook, headers, body)) is not None:
            return self._done(hook.name, "challenge", (200, challenge, [_type(JSON)]))
        wanted, mark, roots = hook.wanted(headers, scope["query_string"], body)
        accepted = await self._client.put(hook.plan.queue, wanted, mark)
        return self._done(hook.name, accepted.status, _accepted(hook, accepted, roots))

    def _failed(self, hook: Hook, error: PipelineError) -> Answer:
        """The broker is away, or the job was refused."""
        if isinstance(error, UnknownJob) and hook.plan.unknown_jobs == "ignore":
            body = encode({"id": None, "status": "ignored"})
            return self._done(hook.name, "ignored", (200, body, [_type(JSON)]))
        if isinstance(error, BrokerError | NoPolicy | UnknownQueue):
            self._told.count(f"{hook.name} could not store an event: {error}")
            return self._done(hook.name, "unavailable", _away())
        if isinstance(error, PayloadTooLarge):
            refused = Refused(413, error.code, error.message)
        elif isinstance(error, EnqueueError):
            refused = Refused(422, error.code, error.message)
        else:
            refused = refusal(error)
        return self._done(hook.name, refused.code, _refused(refused))

    def _done(self, webhook: str, outcome: str, answer: Answer) -> Answer:
        received, key = self._shop.received, (webhook, outcome)
        received[key] = received.get(key, 0) + 1
        return answer


def _accepted(hook: Hook, accepted: Accepted, roots: Roots) -> Answer:
    own = hook.plan.answer
    status = own.status or (200 if accepted.status == "duplicate" else 202)
    body = hook.answer(accepted.id, accepted.status, roots)
    if body is None:
        return status, encode(accepted), [_type(JSON)]
    return status, body, [_type(JSON if body[:1] in (b"{", b"[") else "text/plain; charset=utf-8")]


def _challenge(hook: Hook, headers: verify.Headers, body: bytes) -> bytes | None:
    """Slack asks once whether this address is ours: the answer, or None for an event."""
    if not hook.reads_body:
        return None
    asked = hook.parse(headers, body)
    if not isinstance(asked, dict) or asked.get("type") != "url_verification":
        return None
    return encode({"challenge": str(asked.get("challenge", ""))})


def _refused(error: Refused) -> Answer:
    response = error.response()
    return response.status, response.body, [_type(response.content_type), *_pairs(response.headers)]


def _pairs(headers: Iterable[tuple[str, str]]) -> Iterable[tuple[bytes, bytes]]:
    return ((name.encode(), value.encode()) for name, value in headers)


def _away() -> Answer:
    return 503, b"", [(b"retry-after", str(RETRY_SECONDS).encode())]


def _closing() -> list[tuple[bytes, bytes]]:
    """What was sent is not read, so nothing can follow it."""
    return [(b"connection", b"close")]


def _type(kind: str) -> tuple[bytes, bytes]:
    return (b"content-type", kind.encode())
