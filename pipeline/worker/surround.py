"""What goes around every handler of this process, where somebody asked for it: the job's id in log lines, and spans."""

from __future__ import annotations

import logging

from pipeline.current import remembered
from pipeline.telemetry.switch import MISSING, is_installed, is_wanted
from pipeline.worker.attempt import Within

log = logging.getLogger("pipeline.worker")


def surroundings(worker: str, *, json_logs: bool) -> list[Within]:
    """The innermost first; nothing unless it is asked for. `worker` is this process."""
    within: list[Within] = [remembered] if json_logs else []
    if is_wanted():
        if is_installed():
            from pipeline.telemetry.process import Processing

            within.append(Processing(worker))
        else:
            log.warning(MISSING)
    return within
