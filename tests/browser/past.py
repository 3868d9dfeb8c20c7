"""A past for a queue that has just begun: three hours of minutes, as its supervisor would have kept them."""

from __future__ import annotations

import math
import time
from pathlib import Path

from pipeline.broker import parse
from pipeline.state import socket_path
from pipeline.store import keys
from pipeline.store.connect import connect_blocking

MINUTES = 180
FIELDS = ("own", "completed", "failed", "dead", "cancelled")


def give_past(root: Path, project: str, queue: str, rate: int, failing: int) -> None:
    """About `rate` jobs a minute in a queue on the embedded broker, in waves; an hour ago `failing` attempts a minute failed."""
    key = keys.base(project, queue)
    connection = connect_blocking(parse(f"unix://{socket_path(root / '.pipeline')}"))
    totals = dict.fromkeys(FIELDS, 0)
    lines = []
    for minute in range(MINUTES):
        done = int(rate * (1 + 0.4 * math.sin(minute / 17) + 0.1 * math.sin(minute * 1.7)))
        bad = failing if 110 <= minute < 130 else failing // 12 if minute % 7 == 0 else 0
        totals = {
            "own": totals["own"] + done + bad // 4,
            "completed": totals["completed"] + done,
            "failed": totals["failed"] + bad,
            "dead": totals["dead"] + bad // 4,
            "cancelled": 0,
        }
        slow = 4 if bad > failing // 2 else 0
        run = f"{5 + slow}:{done * 8 // 10},{7 + slow}:{done // 6},{9 + slow}:{max(done // 50, 1)}"
        wait = f"{2 + slow}:{done * 9 // 10},{5 + slow}:{max(done // 20, 1)}"
        moment = int(time.time() // 60) - MINUTES + minute
        figures = " ".join(str(totals[field]) for field in FIELDS)
        lines.append(f"{moment} {figures} {(20 + bad) * 30} {run} {wait}")
    try:
        connection.call(("DEL", keys.minutes(key)))
        connection.call(("RPUSH", keys.minutes(key), *lines))
        for field, value in totals.items():
            connection.call(("HINCRBY", keys.stats(key), field, str(value)))
    finally:
        connection.close()
