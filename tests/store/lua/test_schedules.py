"""A tick of a schedule: its job goes in and the schedule goes on, by one of many, once; or nothing happens."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.plan import SchedulePlan
from pipeline.store.call import StalePolicy, run_blocking
from pipeline.store.overrides import Pause
from pipeline.store.reader import server_time
from pipeline.store.schedules import NOTHING, Cancel, Schedules, Standing
from pipeline.store.store import NewJob
from tests.store.lua.given import Queue, new
from tests.store.lua.test_events import told, watch

EVERY = SchedulePlan(queue="emails", job="send", every=1_000)
CANCEL = Cancel(0, "", 1_000, b"replaced")


class Clock:
    """The schedule `beat` of the queue, as one supervisor sees it."""

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self.schedules = Schedules("shop", "emails")
        queue.publish(1)
        self.arrange(1, {"beat": EVERY})
        self.seen = self.standing()["beat"]

    def standing(self) -> dict[str, Standing]:
        return run_blocking(self.queue.connection, self.schedules.standing())

    def arrange(self, generation: int, schedules: dict[str, SchedulePlan]) -> bool:
        return run_blocking(self.queue.connection, self.schedules.arrange(generation, schedules))

    def tick(self, ahead: int = 0) -> int:
        """A time that has just come, or comes `ahead` ms from now."""
        return run_blocking(self.queue.connection, server_time()) + ahead

    def fire(
        self,
        tick: int | None = None,
        job: NewJob | None = None,
        *,
        seen: Standing | None = None,
        generation: int = 1,
        missed: int = 0,
        overlap: str = "allow",
        cancel: Cancel = NOTHING,
        jobless: bool = False,
    ) -> tuple[str, str]:
        """Fire from where it is now, or from where it was `seen`."""
        tick = self.tick() if tick is None else tick
        job = None if jobless else job or new("r", id=f"beat:{tick}")
        call = self.schedules.fire(
            generation, "beat", seen or self.standing()["beat"], tick,
            missed=missed, overlap=overlap, cancel=cancel, job=job,
        )  # fmt: skip
        return run_blocking(self.queue.connection, call)


@pytest.fixture
def clock(queue: Queue) -> Clock:
    return Clock(queue)


# --- firing -----------------------------------------------------------------------------------------------


def test_a_tick_puts_its_job_in_and_goes_on(queue: Queue, clock: Clock) -> None:
    tick = clock.tick()
    assert clock.fire(tick) == ("fired", f"beat:{tick}")
    assert queue.state()["wait:0"] == [f"beat:{tick}"]
    assert queue.stat("own") == 1
    now = clock.standing()["beat"]
    assert (now.after, now.ran, now.fired, now.job) == (tick, tick, 1, f"beat:{tick}")


def test_a_tick_is_told(queue: Queue, clock: Clock) -> None:
    watch(queue)
    tick = clock.tick()
    clock.fire(tick)
    assert told(queue) == [("enqueued", f"beat:{tick}")]


def test_of_two_who_see_the_same_one_fires(queue: Queue, clock: Clock) -> None:
    tick = clock.tick()
    assert clock.fire(tick, seen=clock.seen)[0] == "fired"
    with queue.changes() as changed:
        assert clock.fire(tick, seen=clock.seen) == ("passed", "")
        assert clock.fire(tick, new("r", id="another"), seen=clock.seen) == ("passed", "")
    assert changed == {}


def test_a_tick_that_has_not_come_does_not_fire(queue: Queue, clock: Clock) -> None:
    with queue.changes() as changed:
        assert clock.fire(clock.tick(60_000)) == ("early", "")
    assert changed == {}


def test_only_the_generation_that_runs_fires(queue: Queue, clock: Clock) -> None:
    queue.publish(2)
    with queue.changes() as changed, pytest.raises(StalePolicy):
        clock.fire(generation=1)
    assert changed == {}
    assert clock.fire(generation=2)[0] == "fired"


def test_a_parked_worker_gets_the_job_at_once(queue: Queue, clock: Clock) -> None:
    queue.park("w1")
    _, id = clock.fire()
    state = queue.state()
    assert list(state["active:w1"]) == [id]
    assert state["inbox:w1"] == [f"{queue.lease} {id} r"]
    assert "wait:0" not in state


def test_a_paused_queue_takes_the_job_and_nobody_gets_it(queue: Queue, clock: Clock) -> None:
    queue.park("w1")
    queue.pause()
    _, id = clock.fire()
    assert queue.state()["wait:0"] == [id]


def test_a_job_with_jitter_is_delayed_and_wakes_who_sleeps_until_later(queue: Queue, clock: Clock) -> None:
    queue.park("w1")
    tick = clock.tick()
    assert clock.fire(tick, new("r", id="beat:1", due=str(tick + 60_000), level=3)) == ("fired", "beat:1")
    state = queue.state()
    assert (state["delayed"], state["levelof"], state["inbox:w1"]) == (["beat:1"], {"beat:1": "3"}, [""])


def test_ticks_without_a_job_are_counted(clock: Clock) -> None:
    tick = clock.tick()
    assert clock.fire(tick, missed=7, jobless=True) == ("missed", "")
    now = clock.standing()["beat"]
    assert (now.after, now.missed, now.fired, now.ran) == (tick, 7, 0, None)
    assert clock.fire(missed=2)[0] == "fired"
    assert (clock.standing()["beat"].missed, clock.standing()["beat"].fired) == (9, 1)


# --- the job before ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("overlap", ["allow", "skip"])
def test_while_the_job_before_waits_allow_adds_one_and_skip_none(
    queue: Queue, clock: Clock, overlap: str
) -> None:
    _, first = clock.fire(clock.tick() - 1)
    word, id = clock.fire(overlap=overlap)
    waits = queue.state()["wait:0"]
    if overlap == "allow":
        assert (word, waits) == ("fired", [first, id])
    else:
        assert (word, id, waits) == ("skipped", first, [first])
    now = clock.standing()["beat"]
    assert (now.fired, now.skipped) == ((2, 0) if overlap == "allow" else (1, 1))


@pytest.mark.parametrize("where", ["waiting", "active", "delayed"])
def test_skip_holds_until_the_job_before_has_ended(queue: Queue, clock: Clock, where: str) -> None:
    tick = clock.tick() - 10
    due = str(tick + 60_000) if where == "delayed" else ""
    clock.fire(tick, new("r", id="beat:1", due=due))
    queue.join("w1")
    leases = queue.take() if where == "active" else {}
    assert clock.fire(tick + 1, overlap="skip")[0] == "skipped"
    if where == "active":
        queue.turn(done=leases)
    else:
        queue.cancel("beat:1")
    assert clock.fire(tick + 2, overlap="skip")[0] == "fired"


def test_replace_withdraws_the_job_before(queue: Queue, clock: Clock) -> None:
    tick = clock.tick() - 10
    clock.fire(tick, new("r", id="beat:1"))
    assert clock.fire(tick + 1, new("r", id="beat:2"), overlap="replace", cancel=CANCEL) == (
        "fired",
        "beat:2",
    )
    queue.join("w1")
    assert list(queue.take(want=5)) == ["beat:2"]
    assert queue.state()["cancelled"] == ["beat:1"]
    assert queue.stat("cancelled") == 1


def test_replace_stops_the_job_before_when_it_runs(queue: Queue, clock: Clock) -> None:
    tick = clock.tick() - 10
    clock.fire(tick, new("r", id="beat:1"))
    queue.join("w1")
    lease = queue.take()["beat:1"]
    clock.fire(tick + 1, new("r", id="beat:2"), overlap="replace", cancel=CANCEL)
    state = queue.state()
    assert state["inbox:w1"] == [f"! {lease} beat:1"]
    assert list(state["stops"]) == ["beat:1"]
    assert state["wait:0"] == ["beat:2"]


def test_a_job_that_another_keeps_out_is_skipped(queue: Queue, clock: Clock) -> None:
    queue.each(new("r", id="mine", key="k"), generation="1")
    assert clock.fire(job=new("r", id="beat:1", key="k")) == ("skipped", "mine")
    now = clock.standing()["beat"]
    assert (now.fired, now.skipped, now.job, now.ran) == (0, 1, "", None)


# --- what the file and people say -------------------------------------------------------------------------


def changed(**more: Any) -> dict[str, SchedulePlan]:
    return {"beat": SchedulePlan(**{"queue": "emails", "job": "send", "every": 1_000, **more})}


def test_the_same_schedules_again_change_nothing(queue: Queue, clock: Clock) -> None:
    clock.fire()
    with queue.changes() as found:
        assert clock.arrange(1, {"beat": EVERY})
        assert clock.arrange(2, changed(data={"other": 1}, overlap="skip", jitter=5))
    assert found == {}


def test_another_rhythm_begins_anew_from_now_and_stays_paused(queue: Queue, clock: Clock) -> None:
    clock.fire()
    run_blocking(queue.connection, clock.schedules.pause("beat", b'{"by": "ann", "at": 5}'))
    before = clock.tick()
    assert clock.arrange(1, changed(every=2_000))
    now = clock.standing()["beat"]
    assert now.after >= before
    assert (now.fired, now.ran, now.job, now.pause) == (0, None, "", Pause("ann", 5))


def test_other_bounds_keep_the_history_and_go_on_from_now(clock: Clock) -> None:
    clock.fire()
    before = clock.tick()
    assert clock.arrange(1, changed(limit=5))
    now = clock.standing()["beat"]
    assert (now.after >= before, now.fired) == (True, 1)


def test_what_the_file_has_no_more_is_forgotten(queue: Queue, clock: Clock) -> None:
    assert clock.arrange(1, {"beat": EVERY, "other.one": EVERY})
    assert clock.arrange(2, {"other.one": EVERY})
    assert list(clock.standing()) == ["other.one"]
    assert clock.arrange(3, {})
    assert "schedules" not in queue.state()


def test_an_older_generation_changes_no_schedule(queue: Queue, clock: Clock) -> None:
    queue.publish(3)
    with queue.changes() as found:
        assert not clock.arrange(2, {})
    assert found == {}


def test_a_paused_schedule_does_not_fire_and_goes_on_from_when_it_is_resumed(
    queue: Queue, clock: Clock
) -> None:
    pause, resume = clock.schedules.pause("beat", b'{"by": "ann", "at": 5}'), clock.schedules.resume("beat")
    assert run_blocking(queue.connection, pause) is True
    assert run_blocking(queue.connection, pause) is False
    assert clock.standing()["beat"].pause == Pause("ann", 5)
    with queue.changes() as found:
        assert clock.fire() == ("passed", "")
    assert found == {}
    before = clock.tick()
    assert run_blocking(queue.connection, resume) is True
    assert run_blocking(queue.connection, resume) is False
    assert clock.standing()["beat"].after >= before
    unknown = clock.schedules.pause("other", b"{}")
    assert run_blocking(queue.connection, unknown) is None
