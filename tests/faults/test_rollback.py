"""When the state of the broker goes back, no more is forgiven than what it took along."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from faults.audit import Audit
from faults.checker import Loss
from faults.events import Event
from faults.producer import Sent
from faults.rollback import account


def trial_of(sent: Sent, kept: dict[str, int]) -> Any:
    losses: list[Loss] = []
    return SimpleNamespace(
        sent=sent,
        losses=losses,
        audit=lambda: [Audit("work", numbers=kept)],
        shop=SimpleNamespace(events=lambda: [Event("begin", "work", 1, "1", 1, 77, 5.0)]),
        loses=lambda *what: losses.append(Loss(*what)),
    )


def test_what_was_acknowledged_within_the_lost_time_and_is_not_kept_is_rolled_back_and_nothing_else():
    sent = Sent(
        attempted={1: 0.0, 2: 5.0, 3: 5.0, 4: 9.0, 5: 0.0},
        acknowledged={1: "1", 2: "2", 3: "n3", 4: "4", 5: "5"},
    )
    # Job 2 is another number's by now.
    gone = account(cast("Any", trial_of(sent, {"1": 1, "2": 6, "n3": 3})), 4.0, 6.0, 7.0)
    assert (gone, sent.rolled_back) == (1, {2: "2"})
    assert sent.acknowledged == {1: "1", 3: "n3", 4: "4", 5: "5"}


def test_whoever_ran_anything_may_run_it_again_from_the_time_on_that_was_lost():
    trial = trial_of(Sent(), {})
    account(trial, 4.0, 6.0, 7.0)
    assert trial.losses == [Loss(77, 4.0, 9.0, "the state went back")]
