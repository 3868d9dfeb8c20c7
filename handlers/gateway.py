"""The payment gateway's HTTP API, as far as the shop needs it. SHOP_GATEWAY says where it is."""

import asyncio
import json
import os
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

GATEWAY = urlsplit(os.environ.get("SHOP_GATEWAY", "http://127.0.0.1:8402"))


@dataclass(frozen=True)
class Answer:
    status: int
    retry_after: int
    body: Any


async def call(method: str, path: str, content: Any = None) -> Answer:
    """One request with a JSON body, and its answer. Raises OSError when the gateway is away."""
    body = json.dumps(content).encode() if content is not None else b""
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: {GATEWAY.netloc}\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection(GATEWAY.hostname, GATEWAY.port)
    try:
        writer.write(head.encode() + body)
        return parse(await reader.readuntil(b"\r\n\r\n"), await reader.read())
    finally:
        writer.close()


def parse(head: bytes, body: bytes) -> Answer:
    """The head of an answer and its body, which ended with the connection."""
    first, *lines = head.decode("latin-1").strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if len(body) < int(headers.get("content-length", 0)):
        raise ConnectionError("the gateway hung up in the middle of its answer")
    return Answer(int(first.split()[1]), int(headers.get("retry-after", 0)), json.loads(body))
