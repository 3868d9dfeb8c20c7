"""What happens in the shop: orders, and the jobs that follow from them.

Every job is a triple of queue, job name and payload. The numbers decide which troubles they will meet.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Jobs = Iterator[tuple[str, str, dict[str, Any]]]

ITEMS = ("mug", "shirt", "sticker", "cap", "poster")
NO_MAILBOX = {60, 160}
NO_ITEM = {70}


def charge_id(run: str, number: int) -> str:
    return f"ch-{run}-{number:04}"


def charge(run: str, number: int) -> dict[str, Any]:
    """What the payment webhook says of an order."""
    card = "tok_declined" if number % 33 == 11 else "tok_visa"
    amount = 900 + number * 37 % 4000
    return {"charge": charge_id(run, number), "order": f"{run}-{number:04}", "amount": amount, "card": card}


def mail(run: str, number: int) -> dict[str, Any]:
    """Whom to write to about an order."""
    to = "nobody@example.com" if number in NO_MAILBOX else f"customer{number}@example.com"
    return {"to": to, "order": f"{run}-{number:04}"}


def stock(number: int) -> dict[str, Any]:
    """What an order takes out of stock."""
    return {"sku": "unicorn" if number in NO_ITEM else ITEMS[number % len(ITEMS)], "change": -1}


def order(run: str, number: int) -> Jobs:
    """The jobs of one order. Its payment webhook comes twice for every fifth, as webhooks do."""
    yield "payments", "capture", charge(run, number)
    if number % 5 == 0:
        yield "payments", "capture", charge(run, number)
    yield "inventory", "adjust", stock(number)
    yield "inventory", "sync", {"sku": ITEMS[number % len(ITEMS)]}
    yield "emails", "order-confirmed", mail(run, number)
