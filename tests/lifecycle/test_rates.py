"""Rates over several processes, by what the handlers themselves write down."""

from __future__ import annotations

import pytest

from pipeline.policy import Rate
from pipeline.store import keys


def most_within(times: list[float], seconds: float) -> int:
    """The most starts in any window of that length."""
    times = sorted(times)
    return max(sum(start <= at < start + seconds for at in times) for start in times)


def test_a_rate_holds_in_every_window_over_all_processes_and_is_used_up(project):
    project.queue("a", "hands:work", processes=4, concurrency=5, rate_limit=Rate(20, 500))
    project.enqueue("a", *({} for _ in range(100)))
    run = project.run()
    project.eventually(lambda: len(project.events("end")) == 100, "all ran")
    begun = [event.at for event in project.events("begin")]
    assert most_within(begun, 0.5) <= 20
    # Five windows: four of them pass until the last jobs start.
    assert max(begun) - min(begun) < 4 * 0.5 + 5
    assert run.stop() == 0


def test_nothing_else_starts_while_a_handler_holds_the_queue(project):
    (project.root / "limited.py").write_text(
        "import hands\nfrom pipeline import RateLimited\n"
        "async def go(job):\n"
        "    first = not hands.EVENTS.exists()\n"
        "    hands.note('begin', job)\n"
        "    if first: raise RateLimited('700ms')\n"
        "    hands.note('end', job)\n"
    )
    project.queue("a", "limited:go", processes=2, concurrency=1)
    run = project.run()
    workers = keys.workers(keys.base("test", "a"))
    project.eventually(lambda: project.ask("ZCARD", workers) == 2, "both workers are there")
    (first,) = project.enqueue("a", {})
    project.sees("begin")
    project.eventually(
        lambda: project.ask("HEXISTS", keys.meta(keys.base("test", "a")), "held"), "the queue is on hold"
    )
    (second,) = project.enqueue("a", {})
    project.eventually(lambda: project.completed("a") == {first, second}, "both are completed")
    refused, *later = sorted(event.at for event in project.events("begin"))
    assert min(later) - refused >= 0.7
    attempts = [(event.id, event.attempt) for event in project.events("begin")]
    assert sorted(attempts) == [(first, 1), (first, 1), (second, 1)]
    assert run.stop() == 0


def test_a_rate_that_is_raised_while_workers_sleep_counts_at_once(written):
    limited = "queues:\n  a: {{handler: 'hands:work', rate_limit: {{max: {}, per: 1h}}}}\n"
    run = written.up(limited.format(1))
    written.enqueue("a", {}, {}, {})
    written.sees("end")
    assert written.reload(limited.format(3)).returncode == 0
    written.sees("end", 3)
    assert run.stop() == 0


@pytest.mark.world
def test_fifty_a_second_with_four_workers_over_twenty_seconds(project):
    project.queue("a", "hands:work", processes=4, concurrency=10, rate_limit=Rate(50, 1_000))
    project.enqueue("a", *({} for _ in range(1_100)))
    run = project.run()
    project.eventually(lambda: len(project.events("end")) > 1_000, "more than a thousand ran")
    begun = sorted(event.at for event in project.events("begin"))
    assert most_within(begun, 1.0) <= 50
    assert 990 <= sum(at < begun[0] + 20 for at in begun) <= 1_000
    assert run.stop() == 0
