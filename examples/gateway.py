"""A small payment gateway: HTTP with JSON, on a port of its own.

    python examples/gateway.py [PORT]

It is as reliable as gateways are. Which charge meets which trouble follows from the number at the end of its id,
so that a run can be predicted. GET /report says what it did.
"""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

PAGE = 50
SLOW_SECONDS = 0.3
BROKE_CARD = "tok_declined"


class Busy(Exception):
    """The gateway cannot serve this request now: an HTTP status, and seconds to wait."""

    def __init__(self, status: int, retry_after: int = 0) -> None:
        super().__init__("too many requests" if retry_after else "try again")
        self.status = status
        self.retry_after = retry_after


class Books:
    """What was charged and refunded. Every charge id is charged once at most."""

    def __init__(self) -> None:
        self.charges: dict[str, dict[str, Any]] = {}
        self.counts: Counter[str] = Counter()
        self._asked: Counter[str] = Counter()
        self._lock = threading.Lock()

    def charge(self, wanted: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Take the money, or say why not. A charge that was taken before is a double: answered, not taken."""
        number = number_of(wanted["charge"])
        if number % 13 == 6:
            time.sleep(SLOW_SECONDS)
        with self._lock:
            self._asked[wanted["charge"]] += 1
            self._trouble(number, first=self._asked[wanted["charge"]] == 1)
            if wanted["card"] == BROKE_CARD:
                self.counts["declined"] += 1
                return 402, {"error": "card declined: insufficient funds"}
            if wanted["charge"] in self.charges:
                self.counts["doubles"] += 1
                return 200, self.charges[wanted["charge"]]
            taken = {**wanted, "receipt": f"receipt-{len(self.charges) + 1:05}"}
            self.charges[wanted["charge"]] = taken
            return 201, taken

    def refund(self, wanted: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Give a charge back, once."""
        with self._lock:
            charge = self.charges.get(wanted["charge"])
            if charge is None:
                return 404, {"error": f"nothing was charged as {wanted['charge']}"}
            self.counts["refunds"] += not charge.get("refunded", False)
            charge["refunded"] = True
            return 200, {"amount": charge["amount"]}

    def page(self, number: int) -> dict[str, Any]:
        """One page of the charges, oldest first."""
        with self._lock:
            charges = list(self.charges.values())
        pages = max(1, -(-len(charges) // PAGE))
        return {"pages": pages, "charges": charges[number * PAGE : (number + 1) * PAGE]}

    def report(self) -> dict[str, int]:
        """What happened so far."""
        with self._lock:
            amount = sum(charge["amount"] for charge in self.charges.values())
            names = ("doubles", "declined", "busy", "refunds")
            counts = {name: self.counts[name] for name in names}
            return {"charges": len(self.charges), "amount": amount, **counts}

    def _trouble(self, number: int, *, first: bool) -> None:
        down = number % 100 == 99
        if down or (first and number % 9 == 4):
            self.counts["busy"] += 1
            raise Busy(503)
        if first and number % 50 == 25:
            self.counts["busy"] += 1
            raise Busy(429, retry_after=1)


class Endpoint(BaseHTTPRequestHandler):
    """The HTTP side of the books."""

    protocol_version = "HTTP/1.1"
    server: Gateway

    def do_POST(self) -> None:
        books = self.server.books
        wanted = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        try:
            match self.path:
                case "/charges":
                    self._answer(*books.charge(wanted))
                case "/refunds":
                    self._answer(*books.refund(wanted))
                case _:
                    self._answer(404, {"error": f"no such path: {self.path}"})
        except Busy as busy:
            self._answer(busy.status, {"error": str(busy)}, busy.retry_after)

    def do_GET(self) -> None:
        books = self.server.books
        url = urlsplit(self.path)
        match url.path:
            case "/charges":
                self._answer(200, books.page(int(parse_qs(url.query).get("page", ["0"])[0])))
            case "/report":
                self._answer(200, books.report())
            case _:
                self._answer(404, {"error": f"no such path: {self.path}"})

    def log_message(self, format: str, *args: object) -> None:
        """The report says what happened; a line for each request would only hide it."""

    def _answer(self, status: int, content: Any, retry_after: int = 0) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if retry_after:
            self.send_header("Retry-After", str(retry_after))
        self.end_headers()
        self.wfile.write(body)


class Gateway(ThreadingHTTPServer):
    """The server, with its books."""

    request_queue_size = 128

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), Endpoint)
        self.books = Books()


def number_of(charge: str) -> int:
    """The number at the end of a charge's id; 0 when there is none."""
    match = re.search(r"\d+$", charge)
    return int(match[0]) if match else 0


if __name__ == "__main__":
    gateway = Gateway(int(sys.argv[1]) if len(sys.argv) > 1 else 8402)
    print(gateway.server_address[1], flush=True)
    gateway.serve_forever()
