"""An hour of steady load with a fault each minute: nothing may be lost, grow, or be left behind."""

from __future__ import annotations

import contextlib
import itertools
import random
import time
from collections.abc import Mapping

import msgspec

from faults.bars import audit, ledger
from faults.bars.load import Load, Producer, plain
from faults.bars.mishaps import SLOTS, Mishaps, write
from faults.bars.sampler import Sampler
from faults.bars.verdict import JUDGED, Given, Verdict, say, theil_sen
from faults.broker import Broker
from faults.checker import Loss
from faults.processes import TooLate, eventually, kill
from faults.shop import Shop
from pipeline.producer import Wanted

MINUTES, EVERY, RATE = 60.0, 60.0, 300.0
WARM_SHARE = 1 / 6
"""The part of the time that is not measured: ten minutes of an hour."""
LEAST_SECONDS = 600.0
"""A slope of less time says nothing."""
KEPT = 60_000
SETTLE_SECONDS = 120.0
MB = 2**20


def make(n: int) -> Wanted:
    """Jobs of 5 to 40 ms; of a hundred, five fail once, four come later, and one takes two seconds."""
    seconds = 2.0 if n % 100 == 99 else 0.005 + n % 8 / 200
    if n % 20 == 1:
        return plain(n, seconds=seconds, fails=1)
    return Wanted("job", {"n": n, "seconds": seconds}, delay="3s" if n % 25 == 2 else None)


class Soak:
    """One soak; `measure` runs it."""

    def __init__(self, given: Given) -> None:
        self.seconds = (given.minutes or MINUTES) * 60
        self.every = given.every or EVERY
        self.broker = Broker(given.folder)
        self.broker.start()
        self.shop = Shop(given.folder / "shop", self.broker.url)
        self.ledger = ledger.Ledger()
        self.producer = Producer(self.broker.url, self.ledger, make)
        self.mishaps = Mishaps(self.shop, self.broker, self.producer, random.Random(given.seed), KEPT)
        self.ends = audit.Ends(self.broker)
        samples = given.samples or given.folder / "samples.jsonl"
        self.sampler = Sampler(self.shop, self.broker, self.ends, samples)
        self.begun = 0.0

    def run(self, verdict: Verdict) -> None:
        before = self._begin()
        self._suffer()
        drained = self._drain()
        verdict.at_most("jobs on their way after the drain", drained, 0)
        self.sampler.finish()
        self.ends.look()
        self._judge(verdict, self.ends.all())
        left = self._left(before)
        verdict.at_most("keys after the drain that were not so before", len(left), 0)
        verdict.figures["keys left"] = left
        self.mishaps.supervisor.process.terminate()
        verdict.at_most("exit code of the supervisor", self.mishaps.supervisor.ends(), 0)

    def _begin(self) -> dict[str, int]:
        """Up, with one job of each kind behind it; the keys of that rest."""
        write(self.shop, SLOTS, "chore", 0)
        self.shop.up()
        self.producer.put(100)
        eventually(lambda: audit.is_empty(audit.counts(self.broker)), "the first jobs end")
        eventually(lambda: not self.broker.call("EXISTS", f"{audit.BASE}:jobs"), "nothing of them is kept")
        before = audit.key_sizes(self.broker)
        self.ledger = self.producer.ledger = ledger.Ledger()
        self.shop.log.write_bytes(b"")
        self.mishaps.edit()
        self.ends.forget()
        return before

    def _suffer(self) -> None:
        self.begun = time.monotonic()
        self.sampler.start()
        load = Load(self.producer_of_load(), RATE)
        load.start()
        for number in itertools.count():
            due = self.begun + (number + 0.5) * self.every
            if due >= self.begun + self.seconds:
                break
            time.sleep(max(0.0, due - time.monotonic()))
            kind = self.mishaps.draw(early=due - self.begun < self.seconds * WARM_SHARE)
            say(f"{kind} ({len(self.ledger):,} jobs so far)")
            self.mishaps.bring(kind)
        time.sleep(max(0.0, self.begun + self.seconds - time.monotonic()))
        load.finish()
        self.refusals = load.producer.refusals + self.producer.refusals

    def producer_of_load(self) -> Producer:
        """Of the steady load: what the faults put in must not wait for it."""
        return Producer(self.broker.url, self.ledger, make)

    def _drain(self) -> int:
        """How many jobs do not end by themselves within two minutes."""
        say("draining")
        with contextlib.suppress(TooLate):
            eventually(lambda: audit.is_empty(audit.counts(self.broker)), "drained", SETTLE_SECONDS)
        found = audit.counts(self.broker)
        return found.waiting + found.delayed + found.active

    def _judge(self, verdict: Verdict, ends: Mapping[int, int]) -> None:
        losses = [*self.mishaps.losses, *self.sampler.losses, *self._losses_by_pills()]
        runs = ledger.Runs(ledger.read(self.shop.log), losses)
        counts = ledger.count(self.ledger, runs, ends)
        verdict.figures["counts"] = msgspec.structs.asdict(counts)
        for name, value in verdict.figures["counts"].items():
            if name in (*JUDGED, "duplicated"):
                verdict.at_most(name, value, 0)
            else:
                verdict.tell(name, f"{value:,}")
        innocent = {*self.ends.dead()} - {runs.id_of[n] for n in self.mishaps.pills}
        verdict.at_most("dead, that were no pills", len(innocent), 0)
        verdict.at_most("completions that were not seen", self.ends.unseen, 0)
        verdict.tell("runs beyond the first", runs.extra)
        verdict.at_most("of them unexplained", len(runs.unexplained), 0)
        verdict.figures["unexplained"] = [line._asdict() for line in runs.unexplained[:50]]
        verdict.tell("times that the machine stood still past the lease", self.sampler.standstills)
        verdict.tell("longest time without the end of a job", f"{runs.longest_pause:.1f} s")
        self._judge_faults(verdict)
        self._judge_growth(verdict)

    def _losses_by_pills(self) -> list[Loss]:
        pills = {*self.mishaps.pills}
        lines = ledger.read(self.shop.log)
        return [Loss(line.pid, line.at, line.at + 1, "took a pill") for line in lines if line.number in pills]

    def _judge_faults(self, verdict: Verdict) -> None:
        verdict.tell("faults", self.mishaps.done.total())
        verdict.at_most("faults that could not be brought", len(self.mishaps.failed), 0)
        verdict.figures |= {
            "faults": dict(self.mishaps.done),
            "failed faults": self.mishaps.failed,
            "refused calls": dict(self.refusals),
        }

    def _judge_growth(self, verdict: Verdict) -> None:
        """Of the supervisor that was there to the end, after the warm-up."""
        warm = self.begun + self.seconds * WARM_SHARE
        samples = [one for one in self.sampler.samples if one["at"] >= warm]
        own = [
            (one["at"], one["supervisor"])
            for one in samples
            if one["supervisor"]["pid"] == self.mishaps.supervisor.pid
        ]
        slope = theil_sen([(at / 3600, one["rss"] / MB) for at, one in own])
        if own and own[-1][0] - own[0][0] >= LEAST_SECONDS:
            verdict.at_most("memory of the supervisor, slope", round(slope, 3), 1.0, " MB/h")
        else:
            verdict.tell("memory of the supervisor, slope", "too short to tell")
        verdict.tell("memory of the supervisor, first and last", _ends([one["rss"] / MB for _, one in own]))
        verdict.tell("open files of the supervisor, first and last", _ends([one["fds"] for _, one in own]))
        used = [one["broker"]["used"] / MB for one in samples if "broker" in one]
        verdict.tell("memory of the broker in MB, first and last", _ends(used))

    def _left(self, before: dict[str, int]) -> list[str]:
        """Nothing is kept any more: what differs from the rest before? Producers are forgotten after a minute."""
        self.shop.command("dead", "purge", "work", "--yes")
        write(self.shop, SLOTS, "chore", 0)
        with contextlib.suppress(TooLate):
            eventually(
                lambda: (
                    not audit.unlike(before, audit.key_sizes(self.broker))
                    and not self.broker.call("KEYS", "*:call:*")
                ),
                "the keys are as before",
                SETTLE_SECONDS,
            )
        calls = [key.decode() for key in self.broker.call("KEYS", "*:call:*")]
        return audit.unlike(before, audit.key_sizes(self.broker)) + calls


def _ends(values: list[float]) -> str:
    return f"{values[0]:,.1f}, {values[-1]:,.1f}" if values else "none"


def measure(given: Given) -> Verdict:
    """Run the soak: `minutes`, and `every` so many seconds a fault."""
    verdict = Verdict()
    soak = Soak(given)
    try:
        soak.run(verdict)
    finally:
        for one in soak.shop.supervisors:
            kill(one.pid, *one.workers())
            one.process.wait()
        soak.broker.kill()
    return verdict
