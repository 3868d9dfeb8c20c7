"""A command of the user's that gets an alert on its standard input."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Sequence

from pipeline.errors import NotSent

SECONDS = 10.0


def run(
    command: Sequence[str],
    body: bytes,
    folder: str,
    on_start: Callable[[int], None] = lambda _: None,
    seconds: float = SECONDS,
) -> None:
    """Run it in `folder`, without a shell; what it prints is dropped. Raises NotSent unless it ends with 0 within
    `seconds`, after which it is killed with all that it started. Blocks: call it in a thread."""
    try:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "an argument holds a NUL"
        raise NotSent(f"{command[0]} cannot be started: {str(reason).lower()}") from None
    on_start(process.pid)
    try:
        process.communicate(body, timeout=seconds)
    except subprocess.TimeoutExpired:
        _kill(process)
        raise NotSent(f"{command[0]} did not end within {seconds:g} s") from None
    if process.returncode != 0:
        raise NotSent(f"{command[0]} ended with {process.returncode}")


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
