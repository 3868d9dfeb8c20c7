"""How a process that runs handlers begins: its loop, and the reason why it cannot."""

from __future__ import annotations

import asyncio
import gc
import traceback

from pipeline.errors import StartError


def new_loop() -> asyncio.AbstractEventLoop:
    """The loop of this process: uvloop's where there is one. It is left as it stands in the end: what was released and
    does not let itself be cancelled must not keep the process."""
    try:
        import uvloop
    except ImportError:
        loop = asyncio.new_event_loop()
    else:
        loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    return loop


def spare_the_collector() -> None:
    """What was imported lives as long as the process: the garbage collector need not look through it again and again,
    which takes a twentieth of a busy worker's time."""
    gc.freeze()


def reason_of(error: BaseException) -> dict[str, str]:
    """Why the user's code could not be loaded; with a traceback where it is not ours to tell."""
    if isinstance(error, StartError):
        return {"reason": str(error), "traceback": getattr(error, "traceback", "")}
    text = "".join(traceback.format_exception(error))
    return {"reason": f"{type(error).__name__}: {error}", "traceback": text}
