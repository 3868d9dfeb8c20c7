"""What alerts were told of a queue, kept in the broker: of several supervisors one sends."""

from __future__ import annotations

from pipeline.store import keys
from pipeline.store.call import Call
from pipeline.store.scripts import script

SETTLED, LATER = None, -1


def due(
    project: str, queue: str, what: str, value: int, *, first: int, throttle: int, hold: int
) -> Call[int | None]:
    """Whether an alert about `what`, which stands at `value`, is to be sent by whoever asks, within `hold` ms.

    The result is what was told before; SETTLED when there is nothing to tell, LATER when it is not due yet. When
    nothing was ever told that counts as `first`. `throttle` is in ms.
    """
    command = script("alert").command(
        queue=keys.base(project, queue), what=what, value=value, first=first, throttle=throttle, hold=hold
    )
    return Call(command, lambda reply: None if reply is None else int(reply))


def sent(project: str, queue: str, what: str, value: int) -> Call[None]:
    """An alert about `what` was sent, when it stood at `value`."""
    command = script("alerted").command(queue=keys.base(project, queue), what=what, value=value)
    return Call(command, lambda _: None)
