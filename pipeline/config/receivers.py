"""Who is told when something goes wrong, as it stands in the file, and what a queue says of that."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Tag

from pipeline.config.block import Block, kind_of, optional, required
from pipeline.config.fields import Duration, Flag, Name, PlainText, ReceiverUrl
from pipeline.plan import AlertPlan

_ALERT = AlertPlan()


class WaitLimitBlock(Block):
    """How long a job may wait before somebody is told."""

    max: Duration | None = optional("hot", "A job that waits longer ...")
    alert: Name | None = optional("hot", "... raises this alert; see `alerts`.")


class DeadLetterBlock(Block):
    """What happens beside when a job dies."""

    queue: Name | None = optional("hot", "Another queue that gets a copy of the job.")
    alert: Name | None = optional("hot", "The alert that tells of it; see `alerts`.")


class AlertSecret(Block):
    """A secret in the place of an alert's address."""

    secret: Name = required("hot", "The name of the secret.")


ReceiverValue = Annotated[
    Annotated[ReceiverUrl, Tag("scalar")] | Annotated[AlertSecret, Tag("map")], Discriminator(kind_of)
]


class AlertBlock(Block):
    """Who is told when something goes wrong: a receiver by HTTPS, or a command."""

    url: ReceiverValue | None = optional("hot", "Where it is sent: https://, or {secret: NAME}.")
    command: tuple[PlainText, ...] | None = optional(
        "hot", "A command that gets it as JSON on standard input, and its arguments. No shell is involved."
    )
    format: Literal["json", "slack"] = optional("hot", "What is sent to the address.", _ALERT.format)
    throttle: Duration = optional(
        "hot", "The first one is sent at once, then at most one of a kind in this time.", _ALERT.throttle
    )
    events: tuple[Literal["fatal", "rejected"], ...] = optional(
        "hot",
        "What it tells beside what queues name it for: a pool that is FATAL, a file that cannot be applied.",
        ("fatal", "rejected"),
    )
    allow_private: Flag = optional(
        "hot", "Whether the receiver may be at a private address, by http too.", _ALERT.allow_private
    )
