"""What the handlers of the API share: which queue is meant, who asks, and what may be large."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from msgspec import Struct

from pipeline.errors import EnqueueError
from pipeline.job import encode
from pipeline.policies import unknown_queue
from pipeline.store.call import run
from pipeline.store.reader import queue_names
from pipeline.web.inputs import DEEPEST, depth
from pipeline.web.redact import Mask
from pipeline.web.request import Request
from pipeline.web.shop import Shop

BASE = "/api/v1"
LARGEST_PART = 64 * 1024
LONGEST_TEXT = 300


class Part(Struct, frozen=True, kw_only=True):
    """A value that may be large: then `text` is its beginning. `redacted` are the paths that are hidden in it."""

    value: Any = None
    text: str | None = None
    bytes: int
    truncated: bool = False
    redacted: list[str] = []


class Whole(Struct, frozen=True, kw_only=True):
    """A value, however large; as `text` when it is nested too deeply for most readers."""

    value: Any = None
    text: str | None = None
    redacted: list[str] = []


class Error(Struct, frozen=True):
    """Why an attempt failed, in short."""

    type: str
    message: str


class ErrorBody(Struct, frozen=True):
    """What is wrong, and what to do."""

    code: str
    message: str
    help: str


class Refusal(Struct, frozen=True):
    """What every refusal looks like."""

    error: ErrorBody


def part(value: Any, redacted: list[str]) -> Part | None:
    """A value as a page shows it; None when there is none."""
    if value is None:
        return None
    text = encode(value)
    if len(text) > LARGEST_PART:
        shown = text[:LARGEST_PART].decode(errors="ignore")
        return Part(text=shown, bytes=len(text), truncated=True, redacted=redacted)
    if depth(value) > DEEPEST:
        return Part(text=text.decode(), bytes=len(text), redacted=redacted)
    return Part(value=value, bytes=len(text), redacted=redacted)


def whole(value: Any, redacted: list[str]) -> Whole:
    """All of a value."""
    if depth(value) > DEEPEST:
        return Whole(text=encode(value).decode(), redacted=redacted)
    return Whole(value=value, redacted=redacted)


def short(text: str) -> str:
    """A text for a list."""
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"


async def queue_of(shop: Shop, request: Request) -> str:
    """The queue of the path. Raises UnknownQueue, with near names, for one that neither file nor broker know."""
    return await known(shop, request.params["queue"])


async def known(shop: Shop, queue: str) -> str:
    """The queue, if there is one of that name. Raises UnknownQueue."""
    if queue not in shop.plan.queues:
        names = await run(shop.connection, queue_names(shop.project))
        if queue not in names:
            raise unknown_queue(queue, {*shop.plan.queues, *names})
        await shop.desk.veils.learn(queue)
    return queue


@contextmanager
def unseen(mask: Mask) -> Iterator[None]:
    """A refusal of what is done here shows nothing that is hidden: it may quote the payload."""
    try:
        yield
    except EnqueueError as error:
        raise type(error)(mask.text(error.message), error.help) from None


def by(request: Request) -> str:
    """Who acts, for the records."""
    return f"{request.who.user}@web"


def builtins(value: Any) -> Any:
    """A value as plain maps and lists."""
    return msgspec.to_builtins(value)
