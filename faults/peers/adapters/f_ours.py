"""Ours. The worker is `pipeline run` on a project that faults/peers/ours.py writes; here is the producer."""

from pipeline import Client


class Producer:
    def __enter__(self):
        self.client = Client("configs/faults.yaml")
        return self

    def __exit__(self, *exc):
        self.client.close()

    def add(self, payload):
        self.client.enqueue("work", "work", payload)
