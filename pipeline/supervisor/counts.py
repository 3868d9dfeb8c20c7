"""How much is left in the queues: what `--until-empty` waits for."""

from __future__ import annotations

from msgspec import Struct

from pipeline.store.scripts import script
from pipeline.store.store import Store
from pipeline.store.wire import Connection


class Left(Struct, frozen=True):
    """Jobs that are still to end, and the number that died since ever."""

    jobs: int
    paused: bool
    died: int


async def left(connection: Connection, store: Store) -> Left:
    """What one queue holds. Raises BrokerError."""
    reply = await connection.call(script("counts").command(queue=store.queue))
    meta, stats = _pairs(reply[1]), _pairs(reply[2])
    waiting, delayed, active = reply[3:6]
    return Left(waiting + delayed + active, b"paused" in meta, int(stats.get(b"dead", 0)))


def _pairs(flat: list[bytes]) -> dict[bytes, bytes]:
    return dict(zip(flat[::2], flat[1::2], strict=True))
