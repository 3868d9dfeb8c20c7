"""What follows when the state of the broker goes back: some jobs were never enqueued, others did not run yet."""

from __future__ import annotations

from faults.trial import Trial

SETTLING = 2.0
"""Seconds within which all have heard that the state is another one."""
CALL = 1.0
"""Seconds between an attempt to enqueue and its acknowledgement."""


def account(trial: Trial, lost_since: float, lost_until: float, back: float) -> int:
    """Account for a state that lost what happened between two times and came back at a third. When all has ended.

    What was acknowledged within that time and is not kept counts as rolled back, and not as lost: how many that is.
    What ran since may run again.
    """
    for pid in {event.pid for event in trial.shop.events()}:
        trial.loses(pid, lost_since, back + SETTLING, "the state went back")
    kept = {(number, id) for one in trial.audit() for id, number in one.numbers.items()}
    sent = trial.sent
    gone = {
        number: id
        for number, id in sent.acknowledged.items()
        if lost_since - CALL <= sent.attempted[number] <= lost_until and (number, id) not in kept
    }
    for number in gone:
        del sent.acknowledged[number]
    sent.rolled_back.update(gone)
    return len(gone)
