"""A day in a shop, cut off in the middle, kept as what this version's layout looks like: `python -m tests.layouts.make`."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from faults.broker import Broker
from faults.processes import eventually
from pipeline import Client
from pipeline.broker import parse
from pipeline.policy import Backoff
from pipeline.store import layout
from pipeline.store.blocking import BlockingConnection
from pipeline.store.connect import connect_blocking
from tests.layouts.dump import counts, save

HERE = Path(__file__).parent
ACTIVE = {"exports": 2, "letters": 1, "parked": 1, "stock": 2}
OF_STOCK = 7
"""The last of them is the flow's."""


def open_shop(root: Path, url: str, *options: str, last: str = "0") -> subprocess.Popen[bytes]:
    """The shop, in a folder, on this broker; the handlers that wait wait for `last` seconds."""
    for name in ("shop.yaml", "hands.py"):
        shutil.copy(HERE / name, root / name)
    command = [sys.executable, "-m", "pipeline", "run", "shop.yaml", "--plain", *options]
    environment = {**os.environ, "BROKER": url, "LAST": last}
    return subprocess.Popen(
        command, cwd=root, env=environment, start_new_session=True, stdin=subprocess.DEVNULL
    )


def fill(client: Client) -> None:
    """A job of each kind."""
    for number in range(3):
        client.enqueue("orders", "pay", {"order": number}, id=f"order-{number}")
    client.enqueue("orders", "pay", {"order": 1})
    for name in ("refuse", "again"):
        client.enqueue("orders", name, {"ü": [1, None, "\N{SNOWMAN}"]})
    for priority in (0, 0, 5, -5):
        client.enqueue("parked", "store", {}, priority=priority)
    client.enqueue("parked", "store", {}, delay="3s")
    client.enqueue("parked", "store", {}, id="mine", attempts=2, backoff=Backoff("fixed", 1000))
    cancelled = client.enqueue("parked", "store", {})
    client.cancel("parked", cancelled.id)
    client.enqueue_many("parked", [("store", {"n": n}) for n in range(2)])
    for sku in "aabbcc":
        client.enqueue("stock", "move", {"sku": sku})
    client.enqueue_many("exports", [("write", {})] * 3)
    client.start_flow("checkout", {"order": 77, "sku": "f"})


def main() -> None:
    """Make the dump of this layout."""
    with tempfile.TemporaryDirectory(prefix="pq-") as folder:
        broker = Broker(Path(folder))
        broker.start()
        shop = open_shop(Path(folder), broker.url, last="3600")
        connection = connect_blocking(parse(broker.url))
        try:
            eventually(lambda: len(counts(connection)) == 5, "the shop is open", 20)
            with Client(broker.url, name="shop") as client:
                fill(client)
            eventually(lambda: _stands(connection), "every kind of job is there", 20)
            os.killpg(shop.pid, signal.SIGKILL)
            shop.wait()
            save(
                connection,
                HERE / f"{layout.WRITTEN}.jsonl",
                {folder: "/srv/shop", str(HERE.parents[1]): "/srv/pipeline"},
            )
        finally:
            shop.kill()
            broker.stop()


def _stands(connection: BlockingConnection) -> bool:
    found = counts(connection)
    return (
        all(found[queue].active == count for queue, count in ACTIVE.items())
        and found["orders"].stats.get("dead") == 1
        and found["stock"].enqueued == OF_STOCK
        and (found["orders"].delayed, found["orders"].waiting + found["orders"].active) == (1, 0)
    )


if __name__ == "__main__":
    main()
