"""A command and how its reply is read, as one value; how a connection runs it, with and without a loop; what a script's
refusal means."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

from pipeline.errors import BrokerRefused, LeaseLost
from pipeline.store.blocking import BlockingConnection
from pipeline.store.wire import Command, Connection, Reply, checked

Result = TypeVar("Result")


class Call(NamedTuple, Generic[Result]):
    """A command, and how its reply is read."""

    command: Command
    read: Callable[[Reply], Result]


async def run(connection: Connection, call: Call[Result]) -> Result:
    """The call's result. Raises BrokerUnavailable, BrokerRefused, LeaseLost (GONE)."""
    return await answer(call, connection.post(call.command))


async def answer(call: Call[Result], posted: asyncio.Future[Reply]) -> Result:
    """As `run`, for a call that was posted already."""
    try:
        return call.read(checked(await posted))
    except BrokerRefused as error:
        raise translate(error) from None


def run_blocking(connection: BlockingConnection, call: Call[Result]) -> Result:
    """As `run`, without a loop."""
    try:
        return call.read(connection.call(call.command))
    except BrokerRefused as error:
        raise translate(error) from None


def run_many(connection: BlockingConnection, calls: Sequence[Call[Result]]) -> list[Result]:
    """The results of several calls that travel together. As `run_blocking`; an error is raised when all are through."""
    replies = connection.call_many([call.command for call in calls])
    return [call.read(checked(reply)) for call, reply in zip(calls, replies, strict=True)]


class StalePolicy(BrokerRefused):
    """The caller's policy is not the one that runs."""


class StaleTurn(BrokerRefused):
    """A later turn of the same worker was seen already."""


def translate(error: BrokerRefused) -> BrokerRefused | LeaseLost:
    """The error that a script's refusal stands for."""
    word = error.message.removeprefix("the broker refused: ").split(" ", 1)[0]
    match word:
        case "POLICY":
            return StalePolicy(error.message)
        case "STALE":
            return StaleTurn(error.message)
        case "GONE":
            return LeaseLost("this worker was reclaimed: its jobs run elsewhere")
    return error
