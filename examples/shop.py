"""The shop on an ordinary, bad day: the main job of this project from end to end.

    python examples/shop.py [--orders N] [--plain]

Starts a payment gateway and a mail server that fail as real ones do, `pipeline run configs/dev.yaml` with its
live view, and puts in a few hundred jobs, before and while it runs. Ends with a summary, read from the queues by
the public commands and compared with the books of the gateway, the mailbox and the stock. Exit 0: all agree.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orders
from neighbours import Neighbours, neighbours
from summary import Day, summarise

from pipeline import Client, PipelineError

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "configs" / "dev.yaml"
PIPELINE = [sys.executable, "-m", "pipeline"]
BROKER_SECONDS = 20.0
ORDER_PAUSE = 0.05
INTERRUPTED = 130


class Shop:
    """The shop's side: puts jobs in, and keeps the answers."""

    def __init__(self, around: Neighbours) -> None:
        self.run = f"{int(time.time()) % 1_000_000:06}"
        self.answers: Counter[tuple[str, str]] = Counter()
        self.refused: list[str] = []
        self._around = around

    def pipeline(self, *arguments: str) -> Any:
        """Run a command of pipeline with `--json`, return what it prints: one value, or one a line."""
        done = subprocess.run(
            [*PIPELINE, *arguments, "--json"],
            env={**self._around.environment, "PIPELINE_CONFIG": str(CONFIG)},
            cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
        try:
            return json.loads(done.stdout)
        except json.JSONDecodeError:
            return [json.loads(line) for line in done.stdout.splitlines()]

    def count(self, answers: list[dict[str, Any]]) -> None:
        self.answers.update((answer["queue"], answer["status"]) for answer in answers)

    def before_opening(self, last: int) -> None:
        """Jobs that wait already when the workers start: from files and single commands."""
        files: dict[tuple[str, str], list[str]] = {}
        for number in range(last):
            for queue, job, data in orders.order(self.run, number):
                files.setdefault((queue, job), []).append(json.dumps(data))
            files.setdefault(("emails", "newsletter"), []).append(json.dumps(orders.mail(self.run, number)))
        for (queue, job), lines in files.items():
            path = self._around.folder / f"{queue}.{job}.jsonl"
            path.write_text("\n".join(lines))
            self.count(self.pipeline("enqueue", queue, job, "--from", str(path)))
        # The books are closed when the day's captures are done.
        self.count([self.pipeline("enqueue", "payments", "reconcile", "{}", "--delay", "4s")])

    def while_open(self, first: int, last: int) -> None:
        """Jobs that a web application puts in while the workers run."""
        with Client(CONFIG, timeout=BROKER_SECONDS) as client:
            for number in range(first, last):
                for queue, job, data in orders.order(self.run, number):
                    self.answers[queue, client.enqueue(queue, job, data).status] += 1
                time.sleep(ORDER_PAUSE)
            reset = orders.mail(self.run, first)
            self.answers["emails", client.enqueue("emails", "password-reset", reset).status] += 1
            for number in (1, 2, 3):
                refund = {"charge": orders.charge_id(self.run, number)}
                answer = client.enqueue("payments", "refund", refund, delay="2s")
                self.answers["payments", answer.status] += 1
            self._mistakes(client, last)

    def _mistakes(self, client: Client, number: int) -> None:
        """What a shop's own bugs look like: a payload that the schema refuses, and one that its handler does."""
        try:
            client.enqueue("payments", "capture", {**orders.charge(self.run, number), "amount": "9.99"})
        except PipelineError as error:
            self.refused.append(f"payments.capture: {error}")
        answer = client.enqueue("inventory", "adjust", {"sku": "mug", "change": "one"})
        self.answers["inventory", answer.status] += 1


@contextmanager
def started(around: Neighbours, *arguments: str, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A command of pipeline that runs beside us, and is asked to stop at the end of the block."""
    with subprocess.Popen([*PIPELINE, *arguments], env=around.environment, cwd=ROOT, **options) as process:
        try:
            yield process
        finally:
            process.terminate()


def a_day(around: Neighbours, wanted: int, *run_options: str) -> Day:
    """One day of the shop. Returns what to sum up."""
    shop = Shop(around)
    begun = int(time.time() * 1000)
    # The broker outlives the workers, so that the queues can be asked when all is done.
    with started(around, "broker", str(CONFIG), stdout=subprocess.DEVNULL, start_new_session=True):
        before = wait_for_broker(shop)
        print("The broker runs. Putting the night's orders into the queues ...", flush=True)
        shop.before_opening(wanted * 3 // 4)
        print("The workers come; a web application puts more in meanwhile.\n", flush=True)
        with started(around, "run", str(CONFIG), "--until-empty", *run_options) as workers:
            shop.while_open(wanted * 3 // 4, wanted)
            workers.wait()
        after = shop.pipeline("status", str(CONFIG))
        ended = {queue: jobs_since(shop, queue, begun) for queue in after["queues"]}
    seconds = time.time() - begun / 1000
    return Day(before["queues"], after["queues"], ended, shop.answers, tuple(shop.refused), around, seconds)


def wait_for_broker(shop: Shop) -> Any:
    """The status of a broker that answers."""
    until = time.monotonic() + BROKER_SECONDS
    while time.monotonic() < until:
        status = shop.pipeline("status", str(CONFIG))
        if isinstance(status, dict) and status.get("queues"):
            return status
        time.sleep(0.1)
    raise SystemExit("the embedded broker does not come up: see .pipeline/broker.log")


def jobs_since(shop: Shop, queue: str, begun: int) -> list[dict[str, Any]]:
    """The jobs of a queue that completed or died since `begun`."""
    jobs = shop.pipeline("jobs", "list", queue, "--state", "completed", "--limit", "10000")
    jobs += shop.pipeline("dead", "list", queue, "--limit", "10000")
    return [job for job in jobs if job["finished_at"] >= begun]


def main() -> int:
    parser = argparse.ArgumentParser(description="The shop on an ordinary, bad day.")
    parser.add_argument("--orders", type=int, default=200, help="how many orders come in (default 200)")
    parser.add_argument("--plain", action="store_true", help="log lines instead of the live view")
    options = parser.parse_args()
    print("A payment gateway and a mail server start, then the shop's own broker ...", flush=True)
    try:
        with neighbours() as around:
            return summarise(a_day(around, options.orders, *(["--plain"] if options.plain else [])))
    except KeyboardInterrupt:
        print("\nStopped. What is left in the queues waits for the next time.")
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
