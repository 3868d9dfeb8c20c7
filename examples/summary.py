"""The end of the shop's day: what became of every job, and whether all the books agree."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from neighbours import Neighbours


@dataclass(frozen=True)
class Day:
    """Status of the queues before and after, the jobs that ended, and the answers to every enqueue."""

    before: dict[str, dict[str, Any]]
    after: dict[str, dict[str, Any]]
    ended: dict[str, list[dict[str, Any]]]
    answers: Counter[tuple[str, str]]
    refused: tuple[str, ...]
    around: Neighbours
    seconds: float

    def rose(self, queue: str, total: str) -> int:
        """By how much a total of a queue rose."""
        return int(self.after[queue][total] - self.before.get(queue, {}).get(total, 0))

    def left(self, queue: str) -> int:
        """Jobs of an earlier day that were still there in the morning."""
        return sum(self.before.get(queue, {}).get(state, 0) for state in ("waiting", "delayed", "active"))

    def done(self, queue: str, name: str) -> int:
        """How many jobs of a name completed."""
        return sum(job["name"] == name and job["state"] == "completed" for job in self.ended[queue])

    def dead(self) -> Counter[str]:
        """Why jobs died: `queue.name: reason`, and how many."""
        dead = [job for jobs in self.ended.values() for job in jobs if job["state"] == "dead"]
        return Counter(f"{job['queue']}.{job['name']}  {reason(job)}" for job in dead)


def reason(job: dict[str, Any]) -> str:
    error = job["error"]
    tries = f" (attempt {job['attempt']} of {job['attempts']})"
    return f"{error['type']}: {error['message']}{tries}"


def summarise(day: Day) -> int:
    """Print the summary. Returns the exit code: 1 when something does not add up."""
    books = day.around.books()
    print(f"\nThe shop's day, in {day.seconds:.1f} s\n")
    print_queues(day)
    print_dead(day)
    for line in day.refused:
        print(f"\nRefused at enqueue, nothing stored\n    {line}")
    print(
        f"\nThe gateway took {books['charges']} charges, {books['amount'] / 100:,.2f} EUR in all; it was busy "
        f"{books['busy']} times, declined {books['declined']} cards, gave {books['refunds']} back."
    )
    print("\nDo the books agree?")
    agree = [print_check(*check) for check in checks(day, books)]
    print("\nTo look around:  .venv/bin/pipeline dead list payments --config configs/dev.yaml")
    return 0 if all(agree) else 1


def print_queues(day: Day) -> None:
    print(
        f"    {'queue':<12}{'accepted':>10}{'duplicates':>12}{'completed':>11}{'failed attempts':>17}{'dead':>6}"
    )
    for queue in day.after:
        print(
            f"    {queue:<12}{day.answers[queue, 'created']:>10}{day.answers[queue, 'duplicate']:>12}"
            f"{day.rose(queue, 'completed_total'):>11}{day.rose(queue, 'failed_attempts_total'):>17}"
            f"{day.rose(queue, 'dead_total'):>6}"
        )


def print_dead(day: Day) -> None:
    dead = day.dead()
    if dead:
        print("\nDead, kept for a person")
    for text, times in sorted(dead.items()):
        print(f"    {times:>3} x {text}")


def checks(day: Day, books: dict[str, int]) -> list[tuple[str, int, int]]:
    """Pairs of numbers from two places that must be equal, each with what it says."""
    pairs = [
        (
            f"{queue}: jobs accepted = completed + dead",
            day.rose(queue, "enqueued_total") + day.left(queue),
            day.rose(queue, "completed_total") + day.rose(queue, "dead_total"),
        )
        for queue in day.after
    ]
    duplicates = sum(day.rose(queue, "duplicates_total") for queue in day.after)
    answered = sum(times for (_, status), times in day.answers.items() if status == "duplicate")
    return [
        *pairs,
        ("enqueues answered as duplicates = counted by the queues", answered, duplicates),
        (
            "captures completed = charges in the gateway's books",
            day.done("payments", "capture"),
            books["charges"],
        ),
        ("customers charged twice = none", books["doubles"], 0),
        ("mails sent = mails in the mailbox", day.rose("emails", "completed_total"), day.around.delivered()),
        ("sales booked = pieces out of stock", day.done("inventory", "adjust"), day.around.sold()),
    ]


def print_check(text: str, left: int, right: int) -> bool:
    print(
        f"    {'yes' if left == right else 'NO ':<5}{text} ({left}{'' if left == right else f' and {right}'})"
    )
    return left == right
