"""What people change by hand in a queue: it holds until it ends, and a newer one never ends with an older."""

from __future__ import annotations

import pytest

from pipeline.job import encode
from pipeline.store.call import run_blocking
from pipeline.store.overrides import Pause, Scale
from pipeline.store.reader import server_time
from tests.store.lua.given import HOUR, Queue

ENDED = 1
PAUSED, UNPAUSED = '{"name":"emails","paused":true}', '{"name":"emails","paused":false}'


def test_what_holds_is_told_with_the_servers_time(queue: Queue) -> None:
    now = run_blocking(queue.connection, server_time())
    pause, scale = Pause("ann", now, now + HOUR), Scale(4, "bob", now, None, 2)
    queue.pause(encode(pause))
    queue.scale(scale)
    with queue.changes() as changed:
        held = queue.overrides()
    assert (held.pause, held.scale, changed) == (pause, scale, {})
    assert now <= held.time <= now + HOUR


def test_a_queue_without_overrides_holds_none(queue: Queue) -> None:
    held = queue.overrides()
    assert (held.pause, held.scale, queue.state()) == (None, None, {})


def test_a_pause_that_ends_wakes_the_parked_workers(queue: Queue) -> None:
    queue.park("w1", "w2")
    queue.pause(encode(Pause("ann", 0, ENDED)))
    assert queue.overrides().pause is None
    assert (queue.state()["inbox:w1"], queue.state()["inbox:w2"]) == ([""], [""])
    assert "meta" not in queue.state()


def test_a_scale_that_ends_leaves_the_pause_and_wakes_nobody(queue: Queue) -> None:
    queue.park("w1")
    queue.pause(encode(Pause("ann", 0)))
    queue.scale(Scale(4, "ann", 0, ENDED))
    held = queue.overrides()
    assert (held.scale, held.pause) == (None, Pause("ann", 0))
    assert queue.state()["idle"] == ["w1"]


def test_a_newer_override_outlives_the_end_of_the_older(queue: Queue) -> None:
    queue.pause(encode(Pause("ann", 0, ENDED)))
    queue.scale(Scale(4, "ann", 0, ENDED))
    newer = Pause("bob", 1), Scale(6, "bob", 1)
    queue.pause(encode(newer[0]))
    queue.scale(newer[1])
    held = queue.overrides()
    assert (held.pause, held.scale) == newer


@pytest.mark.parametrize(("policy", "after"), [(PAUSED, "file"), (UNPAUSED, None)])
def test_after_a_pause_has_ended_the_file_says_whether_the_queue_runs(
    queue: Queue, policy: str, after: str | None
) -> None:
    queue.publish(1, policy)
    queue.pause(encode(Pause("ann", 0, ENDED)))
    for _ in range(2):
        pause = queue.overrides().pause
        assert (pause and pause.by) == after


def test_what_another_version_wrote_holds_without_being_understood(queue: Queue) -> None:
    queue.pause("ann")
    queue.send("HSET", f"{queue.name}:meta", "scale", '["?"]')
    held = queue.overrides()
    assert (held.pause, held.scale) == (None, None)
    assert queue.state()["meta"] == {"paused": "ann", "scale": '["?"]'}


def test_a_scale_says_whether_one_counted_before(queue: Queue) -> None:
    assert queue.unscale() is False
    assert queue.scale(Scale(4, "ann", 0)) is False
    assert queue.scale(Scale(4, "ann", 0)) is True
    assert queue.unscale() is True
    assert queue.state() == {}
