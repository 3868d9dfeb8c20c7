"""Whoever moves a flow may die before any of its calls: the flow ends alike, and every job is made once."""

from __future__ import annotations

from contextlib import suppress

import pytest

from pipeline.flow import Member
from pipeline.flows import Flows
from pipeline.policies import Policies
from pipeline.store.flows import Ended
from tests.flows.field import Died, Field

WELL = ("reserve", "pack:1", "charge", "pack:0", "mail")
BADLY = ("reserve", "pack:1", "charge", "pack:0", "sorry", "retry", "charge:r2", "mail")
RESULTS = {"reserve": {"id": 7}, "pack:0": 0, "pack:1": 1}
CALLS = {WELL: 26, BADLY: 38}
"""How many calls such a flow takes; a test counts them."""


def happens(field: Field, id: str, what: str, story: tuple[str, ...]) -> None:
    """A job ends, and its worker says so; or a person resumes the flow."""
    if what == "retry":
        if field.show(id).state == "failed":
            field.walk(field.flows.retry(id, field.who()))
        return
    name, again, _ = what.partition(":r2")
    if name == "charge" and not again and story is BADLY:
        field.dead(id, name)
    else:
        field.done(id, name, result=RESULTS.get(name), round=2 if again else 1)


def play(field: Field, story: tuple[str, ...], dies_before: int | None = None) -> bool:
    """One flow from its start to its end, with one death at most. Whether somebody died."""
    field.calls.clear()
    field.dies_before = dies_before
    died, id = False, "checkout:1x"
    try:
        field.start({"items": ["a", "b"]})
    except Died:
        died = True
        # A caller that heard nothing asks again.
        field.start({"items": ["a", "b"]})
    for what in story:
        try:
            happens(field, id, what, story)
        except Died:
            died = True
            # The job runs again, and its worker says the same.
            happens(field, id, what, story)
        if died:
            # The claim of who died ends some seconds later; then a supervisor looks.
            field.forget_claims(id)
            field.look(id)
    field.dies_before = None
    return died


@pytest.mark.parametrize("point", range(CALLS[WELL]))
def test_a_death_between_any_two_calls_changes_nothing(field: Field, point: int) -> None:
    assert play(field, WELL, point)
    states = field.states("checkout:1x")
    assert states == {"reserve": "done", "charge": "done", "pack": "done", "mail": "done", "sorry": "skipped"}
    assert field.show("checkout:1x").state == "completed"
    assert len(field.jobs()) == field.times_made() == 5


@pytest.mark.parametrize("point", range(CALLS[BADLY]))
def test_nor_does_one_while_a_flow_fails_and_is_resumed(field: Field, point: int) -> None:
    assert play(field, BADLY, point)
    states = field.states("checkout:1x")
    assert states == {"reserve": "done", "charge": "done", "pack": "done", "mail": "done", "sorry": "skipped"}
    assert field.show("checkout:1x").state == "completed"
    assert len(field.jobs()) == field.times_made() == 7


@pytest.mark.parametrize("story", CALLS)
def test_every_call_of_these_flows_is_such_a_point(field: Field, story: tuple[str, ...]) -> None:
    assert not play(field, story)
    assert len(field.calls) == CALLS[story]


def test_two_that_make_the_jobs_of_a_step_at_once_make_each_once(field: Field) -> None:
    id = field.start({"items": list(range(2_500))})
    other = Flows("shop", Policies(None))
    field.dies_before = len(field.calls) + 4
    with pytest.raises(Died):
        field.done(id, "reserve", result={"id": 7})
    field.forget_claims(id)
    field.walk(other.tell(id, "late", []))
    field.look(id)
    assert field.states(id)["pack"] == "running"
    assert len(field.jobs()) == field.times_made() == 2_502


def test_jobs_that_are_made_while_their_flow_is_cancelled_are_cancelled_too(field: Field) -> None:
    id = field.start({"items": list(range(1_500))})
    way = field.flows.tell(id, field.who(), [Ended(Member(id, "reserve"), b'c{"id":7}')])
    told = None
    while f"{id}:pack:999" not in field.jobs():
        told = field.step(way.send(told))
    assert field.walk(field.flows.cancel(id, field.who())) == "running"
    with suppress(StopIteration):
        while True:
            told = field.step(way.send(told))
    field.look(id)
    assert field.show(id).state == "cancelled"
    assert f"{id}:pack:1000" not in field.jobs()
    made = {job for job in field.jobs() if ":pack:" in job or job.endswith(":charge")}
    assert made <= field.cancelled()


def test_a_step_that_somebody_makes_is_left_to_them(field: Field) -> None:
    id = field.start({"items": ["a"]})
    field.dies_before = len(field.calls) + 1
    with pytest.raises(Died):
        field.done(id, "reserve", result={"id": 7})
    field.look(id)
    assert field.states(id)["charge"] == "ready"
    field.forget_claims(id)
    field.look(id)
    assert field.states(id)["charge"] == "running"
