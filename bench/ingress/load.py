"""Load without a feedback: `python -m bench.ingress.load HOST:PORT PATH RATE SECONDS` sends at times that were fixed before.

A request that is late because others are slow counts from when it should have been sent: no coordinated omission. Each has a
connection of its own, as senders of webhooks have, and is given up after 10 s, as GitHub does. Prints one line of JSON.
"""

import asyncio
import json
import random
import sys
import time
from collections import Counter

from bench.ingress.events import request

PATIENCE = 10.0


async def one(host: str, port: int, path: str, id: str) -> str:
    """What came of one request: `2xx`, or what went wrong."""
    try:
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(request(path, id, close=True))
                line = await reader.readline()
                await reader.read()
            finally:
                writer.close()
    except TimeoutError:
        return "no answer in 10 s"
    except OSError as error:
        return type(error).__name__
    status = line.split()[1:2]
    return (
        "2xx" if status and status[0].startswith(b"2") else f"status {status[0].decode() if status else '-'}"
    )


async def run(address: str, path: str, rate: float, seconds: float) -> dict[str, object]:
    host, _, port = address.rpartition(":")
    chance, at, times = random.Random(1), 0.0, []
    while (at := at + chance.expovariate(rate)) < seconds:
        times.append(at)
    took: list[float] = []
    lags: list[float] = []
    ends: Counter[str] = Counter()
    run_id, start = time.time_ns(), time.monotonic() + 0.5

    async def send(number: int, due: float) -> None:
        lags.append(time.monotonic() - due)
        ends[await one(host, int(port), path, f"{run_id}_{number}")] += 1
        took.append(time.monotonic() - due)

    tasks = []
    for number, offset in enumerate(times):
        await asyncio.sleep(max(start + offset - time.monotonic(), 0))
        tasks.append(asyncio.create_task(send(number, start + offset)))
    await asyncio.gather(*tasks)
    took.sort()
    return {
        "sent": len(took),
        "rate": rate,
        "seconds": seconds,
        "ends": dict(ends),
        "errors": len(took) - ends["2xx"],
        "generator_lag_p99": percentile(sorted(lags), 99),
        **{f"p{share}": percentile(took, share) for share in (50, 95, 99)},
        "max": took[-1] if took else 0.0,
    }


def percentile(values: list[float], share: float) -> float:
    """Of sorted values: the one that `share` per cent lie at or below."""
    return values[min(int(len(values) * share / 100), len(values) - 1)] if values else 0.0


if __name__ == "__main__":
    print(json.dumps(asyncio.run(run(sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4])))))
