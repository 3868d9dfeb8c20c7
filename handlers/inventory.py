"""Stock, in an SQLite file. SHOP_STOCK says where it is."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from handlers.errors import UnknownItem
from pipeline import Job

STOCK = os.environ.get("SHOP_STOCK", "stock.sqlite")
TABLES = (
    "CREATE TABLE IF NOT EXISTS moves (job TEXT PRIMARY KEY, sku TEXT, change INTEGER)",
    "CREATE TABLE IF NOT EXISTS levels (sku TEXT PRIMARY KEY, level INTEGER)",
)
ITEMS = ("mug", "shirt", "sticker", "cap", "poster")


@dataclass(frozen=True)
class StockChange:
    sku: str
    change: int


@dataclass(frozen=True)
class Item:
    sku: str


def adjust(job: Job[StockChange]) -> None:
    """Book a sale or a delivery. A job may run twice, so the job's id makes sure that it counts once."""
    known(job.data.sku)
    with opened() as stock:
        stock.execute("INSERT OR IGNORE INTO moves VALUES (?, ?, ?)", (job.id, job.data.sku, job.data.change))


def sync(job: Job[Item]) -> dict[str, int]:
    """Work out the level of an item anew, or those of `all`."""
    items = ITEMS if job.data.sku == "all" else (known(job.data.sku),)
    with opened() as stock:
        return {item: level_of(item, stock) for item in items}


def level_of(item: str, stock: sqlite3.Connection) -> int:
    """The sum of an item's moves, kept as its level."""
    query = "SELECT coalesce(sum(change), 0) FROM moves WHERE sku = ?"
    [level] = stock.execute(query, (item,)).fetchone()
    stock.execute("INSERT OR REPLACE INTO levels VALUES (?, ?)", (item, level))
    return int(level)


def known(sku: str) -> str:
    """The item, if it is sold here. Raises UnknownItem."""
    if sku not in ITEMS:
        raise UnknownItem(f"{sku!r} is not sold here")
    return sku


@contextmanager
def opened() -> Iterator[sqlite3.Connection]:
    """The stock in a transaction, which ends with the block."""
    connection = sqlite3.connect(STOCK, timeout=10)
    try:
        with connection:
            for table in TABLES:
                connection.execute(table)
            yield connection
    finally:
        connection.close()
