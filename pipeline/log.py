"""Log lines of a process: plain text for people, or one JSON object a line."""

from __future__ import annotations

import logging
import sys
from typing import Any

import msgspec

from pipeline.clock import now_ms
from pipeline.current import facts_of

MESSAGE_BYTES, TRACEBACK_BYTES = 2_000, 3_000
"""A supervisor takes lines of 8 KiB."""


class JsonFormatter(logging.Formatter):
    """`{"at": ms, "level", "logger", "message", "traceback", "queue", "job", "id", "attempt", "ids"}`: of which job, when
    one runs where the line is written, or the record has it as `about`."""

    def format(self, record: logging.LogRecord) -> str:
        trace = self.formatException(record.exc_info) if record.exc_info else None
        line: dict[str, Any] = {
            "at": now_ms(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": cut(record.getMessage(), MESSAGE_BYTES),
            "traceback": None if trace is None else cut(trace, TRACEBACK_BYTES, end=True),
            **facts_of(getattr(record, "about", None)),
        }
        return msgspec.json.encode(line).decode()


def cut(text: str, most: int, *, end: bool = False) -> str:
    """The beginning of a text, or its end, in so many bytes; "…" stands for the rest."""
    written = text.encode(errors="backslashreplace")
    if len(written) <= most:
        return written.decode()
    if end:
        return "…" + written[-most:].decode(errors="ignore")
    return written[:most].decode(errors="ignore") + "…"


def configure(*, json: bool = False, level: int = logging.INFO) -> None:
    """Send the log to standard error. A handler's own loggers come along."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if json else logging.Formatter("%(levelname)s %(message)s"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
