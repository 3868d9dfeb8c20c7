"""Events as Stripe would send them: signed, each with an id of its own."""

import hashlib
import hmac
import json
import time

KEY = "whsec_of_the_benchmark_and_of_nobody_else"


def body_of(id: str) -> bytes:
    """About as long as a small event is."""
    charge = {"id": f"ch_{id}", "amount": 1999, "currency": "eur", "metadata": {"order": f"order-{id}"}}
    event = {"id": f"evt_{id}", "object": "event", "type": "charge.succeeded", "data": {"object": charge}}
    return json.dumps(event).encode()


def request(path: str, id: str, *, close: bool) -> bytes:
    """A signed request, whole."""
    body, now = body_of(id), int(time.time())
    signature = hmac.new(KEY.encode(), b"%d.%b" % (now, body), hashlib.sha256).hexdigest()
    ending = "Connection: close\r\n" if close else ""
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: Stripe/1.0\r\nAccept: */*\r\n"
        f"Content-Type: application/json; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
        f"Stripe-Signature: t={now},v1={signature}\r\n{ending}\r\n"
    ).encode() + body
