"""An alert to its receiver: by HTTPS, or to a command."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec.structs import replace

from pipeline.alerts import command, outgoing
from pipeline.alerts.message import Message, body
from pipeline.errors import NotSent
from pipeline.plan import AlertPlan

LONGEST_SECRET = 64 * 1024


def deliver(
    name: str,
    alert: AlertPlan,
    message: Message,
    root: str,
    secrets: Sequence[str] = (),
    on_start: Callable[[int], None] = lambda _: None,
) -> None:
    """Send `message` to the alert `name` of the project at `root`; nothing of `secrets` is sent along. `on_start` is
    told the pid of a command. Raises NotSent. Blocks for 10 s at most, but for a slow resolver: call it in a thread."""
    message = replace(message, alert=name)
    if alert.command:
        command.run(alert.command, body(message, "json", secrets), root, on_start)
        return
    url = address_of(alert, root)
    outgoing.post(url, body(message, alert.format, (*secrets, url)), allow_private=alert.allow_private)


def address_of(alert: AlertPlan, root: str) -> str:
    """The receiver's address; a secret is read now, so that a new one counts at once. Raises NotSent."""
    if alert.url is not None:
        return alert.url
    if alert.env is not None:
        found = os.environ.get(alert.env, "")
        if not found:
            raise NotSent(
                f"the secret {alert.secret} is not set: the variable {alert.env} is empty or not set"
            )
        return found
    try:
        with (Path(root) / (alert.file or "")).open("rb") as source:
            found = source.read(LONGEST_SECRET).decode().removesuffix("\n").removesuffix("\r")
    except (OSError, UnicodeDecodeError):
        raise NotSent(f"the secret {alert.secret} is not set: cannot read {alert.file}") from None
    return found
