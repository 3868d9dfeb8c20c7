"""As much as fits: `python -m bench.ingress.saturate HOST:PORT PATH CONNECTIONS SECONDS WARMUP [close]`.

Each connection sends its next event when the answer to the one before is there; with `close` that is on a new one each time.
Prints one line of JSON.
"""

import asyncio
import json
import sys
import time
from collections import Counter, deque
from typing import cast

from bench.ingress.events import request
from bench.ingress.load import one, percentile

MADE = 12_000
"""Events a second that are made beforehand."""


class Sender(asyncio.Protocol):
    """One connection."""

    def __init__(self, requests: deque[bytes], took: list[tuple[float, float]], ends: Counter[str]) -> None:
        self._requests, self._took, self._ends = requests, took, ends
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._next()

    def _next(self) -> None:
        if self._requests:
            self._begun = time.monotonic()
            self._transport.write(self._requests.popleft())

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        at = head.lower().find(b"content-length: ")
        if not found or len(body) < int(head[at + 16 :].split(b"\r\n", 1)[0]):
            return
        self._buffer = b""
        now = time.monotonic()
        self._took.append((now, now - self._begun))
        self._ends[head[9:12].decode()] += 1
        self._next()


async def run(address: str, path: str, connections: int, seconds: float, warmup: float) -> dict[str, object]:
    host, _, port = address.rpartition(":")
    run_id = time.time_ns()
    requests = deque(
        request(path, f"{run_id}_{number}", close=False) for number in range(int(MADE * (warmup + seconds)))
    )
    took: list[tuple[float, float]] = []
    ends: Counter[str] = Counter()
    loop = asyncio.get_running_loop()
    opened = [
        await loop.create_connection(lambda: Sender(requests, took, ends), host, int(port))
        for _ in range(connections)
    ]
    await asyncio.sleep(warmup)
    begun = time.monotonic()
    print("measuring", flush=True)
    await asyncio.sleep(seconds)
    ended = time.monotonic()
    for transport, _ in opened:
        transport.close()
    counted = sorted(lasted for at, lasted in took if begun <= at < ended)
    return {
        "rate": len(counted) / (ended - begun),
        "answered": len(counted),
        "ends": dict(ends),
        "made_enough": bool(requests),
        **{f"p{share}": percentile(counted, share) for share in (50, 95, 99)},
    }


async def run_closing(address: str, path: str, connections: int, seconds: float) -> dict[str, object]:
    """How much is answered when so many ask at a time."""
    host, _, port = address.rpartition(":")
    ends: Counter[str] = Counter()
    until, run_id = time.monotonic() + seconds, time.time_ns()

    async def ask(number: int) -> None:
        while time.monotonic() < until:
            ends[await one(host, int(port), path, f"{run_id}_{number}_{ends.total()}")] += 1

    begun = time.monotonic()
    await asyncio.gather(*map(ask, range(connections)))
    return {"rate": ends["2xx"] / (time.monotonic() - begun), "ends": dict(ends)}


def main(address: str, path: str, connections: str, seconds: str, warmup: str, close: str = "") -> None:
    if close:
        found = asyncio.run(run_closing(address, path, int(connections), float(seconds)))
    else:
        import uvloop

        found = uvloop.run(run(address, path, int(connections), float(seconds), float(warmup)))
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
