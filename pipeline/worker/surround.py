"""What goes around every handler of this process, where somebody asked for it: the job's id in log lines, and spans."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.current import remembered
from pipeline.worker.attempt import Within


def surroundings(*, json_logs: bool) -> Sequence[Within]:
    """The innermost first; nothing unless it is asked for."""
    return (remembered,) if json_logs else ()
