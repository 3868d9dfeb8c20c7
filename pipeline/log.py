"""Log lines of a process: plain text for people, or one JSON object a line."""

from __future__ import annotations

import logging
import sys

import msgspec

from pipeline.clock import now_ms


class JsonFormatter(logging.Formatter):
    """`{"at": ms, "level", "logger", "message", "traceback"}`."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": now_ms(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "traceback": self.formatException(record.exc_info) if record.exc_info else None,
        }
        return msgspec.json.encode(line).decode()


def configure(*, json: bool = False, level: int = logging.INFO) -> None:
    """Send the log to standard error. A handler's own loggers come along."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if json else logging.Formatter("%(levelname)s %(message)s"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
