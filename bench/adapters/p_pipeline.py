"""Ours. The worker is `pipeline run` on a project that bench/ours.py writes; here is the producer."""

import itertools
import os

from pipeline import AsyncClient, Client

CONFIG = os.environ["BENCH_CONFIG"]
UNIQUE = os.environ.get("BENCH_UNIQUE") == "1"  # ours+ deduplicates, so no two payloads may be the same
_order = itertools.count(1_000_000)


def data(payload):
    return {**payload, "orderId": next(_order)} if UNIQUE else payload


class Producer:
    def __enter__(self):
        self.client = Client(CONFIG)
        return self

    def __exit__(self, *exc):
        self.client.close()

    def add(self, kind, payload):
        self.client.enqueue("bench", kind, data(payload))

    def add_bulk(self, kind, payloads):
        self.client.enqueue_many("bench", [(kind, data(p)) for p in payloads])


class AsyncProducer:
    async def __aenter__(self):
        self.client = await AsyncClient(CONFIG).__aenter__()
        return self

    async def __aexit__(self, *exc):
        await self.client.__aexit__(*exc)

    async def add(self, kind, payload):
        await self.client.enqueue("bench", kind, data(payload))
