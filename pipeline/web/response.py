"""What goes out: an answer, a refusal, or a stream of events."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from msgspec import Struct

from pipeline import errors

JSON = "application/json"
_MOST_EXACT = 2**53
"""Beyond it a browser's numbers have gaps."""
_LONG_NUMBER = re.compile(rb"[0-9]{16}")


class Response(Struct, frozen=True):
    """One answer. With `events` it is a stream of server-sent events, each a whole one, and `body` is not sent."""

    status: int = 200
    body: bytes = b""
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()
    events: AsyncIterator[bytes] | None = None


class Refused(Exception):
    """A request that is not done. `code` is stable, for programs; `help` says what to do. `close`: the connection
    cannot be used on, because what was sent was not read."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        help: str = "",
        *,
        headers: tuple[tuple[str, str], ...] = (),
        close: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.help = help
        self.headers = headers
        self.close = close

    def response(self) -> Response:
        """The answer that says so."""
        error = {"code": self.code, "message": self.message, "help": self.help}
        headers = (*self.headers, ("connection", "close")) if self.close else self.headers
        return as_json({"error": error}, self.status, headers)


def as_json(value: Any, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    """A value as JSON; integers that a browser could not hold go out as text."""
    body = msgspec.json.encode(value)
    if _LONG_NUMBER.search(body):
        body = msgspec.json.encode(exact(msgspec.to_builtins(value)))
    return Response(status, body, headers=headers)


def exact(value: Any) -> Any:
    """The value with integers that a browser could not hold as text."""
    if isinstance(value, dict):
        return {name: exact(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [exact(one) for one in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _MOST_EXACT:
        return str(value)
    return value


# The first that fits counts.
_STATUS: tuple[tuple[type[errors.PipelineError], int], ...] = (
    (errors.JobNotFound, 404),
    (errors.FlowNotFound, 404),
    (errors.UnknownQueue, 404),
    (errors.UnknownFlow, 404),
    (errors.UnknownSchedule, 404),
    (errors.NotKept, 404),
    (errors.NotRun, 409),
    (errors.WrongState, 409),
    (errors.PayloadTooLarge, 413),
    (errors.NoPolicy, 503),
    (errors.EnqueueError, 422),
    (errors.BrokerFull, 507),
    (errors.BrokerDenied, 503),
    (errors.BrokerUnavailable, 503),
    (errors.BrokerError, 502),
    (errors.NotRunning, 503),
)
RETRY_SECONDS = 1


def refusal(error: errors.PipelineError) -> Refused:
    """How an error of the product is told."""
    status = next((number for kind, number in _STATUS if isinstance(error, kind)), 500)
    headers = (("retry-after", str(RETRY_SECONDS)),) if status == 503 else ()
    return Refused(status, error.code, error.message, error.help, headers=headers)
