"""Flows by their states: what a step's end makes ready, what fails, what goes on, and what is forgotten."""

from __future__ import annotations

import pytest

from pipeline.errors import FlowNotFound, InvalidOption, InvalidPayload, UnknownFlow, WrongState
from pipeline.flow import Member, StepPolicy
from pipeline.flowread import failures, needs
from pipeline.job import Outcome, encode
from pipeline.policy import Retention
from pipeline.store import keys
from pipeline.store.call import run_blocking
from pipeline.store.flows import FlowStore
from tests.acl import by_admin
from tests.flows.field import CHECKOUT, Field


def test_a_step_begins_when_all_that_it_needs_has_ended(field: Field) -> None:
    id = field.start({"items": ["a", "b"]})
    assert field.jobs() == {f"{id}:reserve": {"items": ["a", "b"]}}
    field.done(id, "reserve", result={"id": 7})
    assert field.jobs().keys() == {f"{id}:{one}" for one in ("reserve", "charge", "pack:0", "pack:1")}
    assert field.jobs()[f"{id}:charge"] == {"stock": 7}
    field.done(id, "charge")
    field.done(id, "pack:1", result=1)
    assert field.states(id)["mail"] == "blocked"
    field.done(id, "pack:0", result=0)
    assert field.jobs()[f"{id}:mail"] == {"packed": [0, 1]}
    field.done(id, "mail")
    assert field.show(id).state == "completed"
    assert field.states(id)["sorry"] == "skipped"


def test_the_results_of_what_a_step_needs_come_in_the_order_of_the_list(field: Field) -> None:
    id = field.start({"items": list(range(2_500))})
    field.done(id, "reserve", result={"id": 7})
    fields = [f"pack:{n}" for n in reversed(range(2_500))]
    for at in range(0, 2_500, 1_000):
        field.done(id, *fields[at : at + 1_000], result=at)
    field.done(id, "charge", result="paid")
    found = field.walk(needs(field.flows.store(id), Member(id, "mail")))
    assert found["charge"] == "paid"
    assert found["pack"] == [2_000] * 500 + [1_000] * 1_000 + [0] * 1_000


def test_a_failed_step_fails_the_flow_once_what_runs_has_ended(field: Field) -> None:
    id = field.start({"items": ["a"]})
    field.done(id, "reserve", result={"id": 7})
    field.dead(id, "charge")
    assert (field.show(id).state, field.states(id)["mail"]) == ("failing", "skipped")
    assert f"{id}:sorry" not in field.jobs()
    field.done(id, "pack:0")
    assert field.jobs()[f"{id}:sorry"] == {"why": "no"}
    assert field.show(id).state == "handling"
    (failed,) = field.walk(failures(field.flows.store(id), id))
    assert (failed.step, failed.type, failed.message) == ("charge", "ValueError", "no")
    field.done(id, "sorry")
    assert field.show(id).state == "failed"


def test_a_step_for_a_failure_runs_only_when_what_it_needs_has_failed(field: Field) -> None:
    undo = {
        name: StepPolicy("mail", "undo", (name,), on_failure=True, data={"a": "{steps.a.result?}"})
        for name in "ab"
    }
    steps = {"a": StepPolicy("stock", "a"), "b": StepPolicy("stock", "b", ("a",))}
    field.declare({**steps, **{f"undo-{name}": step for name, step in undo.items()}})
    id = field.start({})
    field.done(id, "a", result={"x": 1})
    field.dead(id, "b")
    assert field.jobs()[f"{id}:undo-b"] == {"a": {"x": 1}}
    field.done(id, "undo-b")
    assert field.states(id) == {"a": "done", "b": "failed", "undo-a": "skipped", "undo-b": "done"}


def test_what_needs_an_optional_step_runs_without_its_result(field: Field) -> None:
    maybe = StepPolicy("stock", "maybe", optional=True)
    after = StepPolicy("mail", "after", ("maybe",), data={"got": "{steps.maybe.result}"})
    field.declare({"maybe": maybe, "after": after})
    id = field.start({})
    field.dead(id, "maybe")
    assert field.jobs()[f"{id}:after"] == {"got": None}
    assert field.walk(needs(field.flows.store(id), Member(id, "after"))) == {"maybe": None}
    field.done(id, "after")
    assert field.show(id).state == "completed"


def test_a_list_without_items_is_done_at_once(field: Field) -> None:
    id = field.start({"items": []})
    field.done(id, "reserve", result={"id": 7})
    assert field.states(id)["pack"] == "done"
    field.done(id, "charge")
    assert field.jobs()[f"{id}:mail"] == {"packed": []}


@pytest.mark.parametrize("result", [None, {"other": 1}])
def test_a_step_whose_payload_cannot_be_made_fails_the_flow(field: Field, result: object) -> None:
    id = field.start({"items": []})
    field.done(id, "reserve", result=result)
    assert field.states(id)["charge"] == "failed"
    error = next(step.error for step in field.show(id).steps if step.name == "charge")
    assert error is not None
    assert "{steps.reserve.result.id} is missing" in error.message
    assert f"{id}:sorry" in field.jobs()


def test_an_end_counts_once(field: Field) -> None:
    id = field.start({"items": ["a", "b"]})
    field.done(id, "reserve", result={"id": 7})
    for _ in range(3):
        field.done(id, "pack:0")
    field.dead(id, "pack:0")
    (pack,) = (step for step in field.show(id).steps if step.name == "pack")
    assert (pack.state, pack.done, pack.failed) == ("running", 1, 0)


def test_a_flow_of_the_same_id_is_a_duplicate(field: Field) -> None:
    first = field.walk(field.flows.start("checkout", {"items": []}, "one", "c1"))
    again = field.walk(field.flows.start("checkout", {"items": [1]}, "one", "c1"))
    other = field.walk(field.flows.start("checkout", {"items": [1]}, "one", "c2"))
    assert [first.status, again.status, other.status] == ["created", "created", "duplicate"]
    assert {first.id, again.id, other.id} == {"checkout:one"}
    assert field.times_made() == 1


def test_what_cannot_begin_stores_nothing(field: Field) -> None:
    field.declare({"a": StepPolicy("stock", "a", data={"x": "{data.x}"})}, "needy")
    refused = [
        ("needy", {}, None, InvalidPayload),
        ("needy", {"x": float("nan")}, None, InvalidPayload),
        ("checkout", {}, "a:b", InvalidOption),
        ("checkout", {}, "17", InvalidOption),
        ("nothing", {}, None, UnknownFlow),
    ]
    for name, data, own, error in refused:
        with pytest.raises(error):
            field.walk(field.flows.start(name, data, own, "c"))
    assert field.jobs() == {}
    assert run_blocking(field.connection, FlowStore("shop", "needy").open_count()) == 0


def test_a_flow_that_was_removed_begins_no_more_and_goes_on(field: Field) -> None:
    id = field.start({"items": []})
    run_blocking(field.connection, FlowStore("shop", "checkout").publish(2, None))
    with pytest.raises(UnknownFlow, match="removed"):
        field.start({}, "2")
    field.done(id, "reserve", result={"id": 7})
    assert f"{id}:charge" in field.jobs()


def test_a_flow_goes_on_as_it_was_when_it_began(field: Field) -> None:
    id = field.start({"items": []})
    field.declare({"reserve": StepPolicy("stock", "reserve")})
    field.done(id, "reserve", result={"id": 7})
    assert field.states(id).keys() == CHECKOUT.keys()


# --- retry and cancel ---------------------------------------------------------------------------------------


def test_a_retry_resumes_at_the_failed_jobs_and_keeps_what_is_done(field: Field) -> None:
    id = field.start({"items": ["a", "b", "c"]})
    field.done(id, "reserve", result={"id": 7})
    field.done(id, "charge")
    field.done(id, "pack:0", "pack:2", result=5)
    field.dead(id, "pack:1")
    field.done(id, "sorry")
    assert field.show(id).state == "failed"
    made = field.times_made()
    field.walk(field.flows.retry(id, "p"))
    assert field.times_made() == made + 1
    assert f"{id}:pack:1:r2" in field.jobs()
    assert field.states(id)["mail"] == "blocked"
    field.done(id, "pack:1")  # of the first round: it is too late
    assert field.states(id)["pack"] == "running"
    field.done(id, "pack:1", result=6, round=2)
    assert field.jobs()[f"{id}:mail"] == {"packed": [5, 6, 5]}
    field.done(id, "mail")
    assert field.show(id).state == "completed"


def test_a_flow_that_fails_again_runs_its_steps_for_that_again(field: Field) -> None:
    field.declare({"a": StepPolicy("stock", "a"), "z": StepPolicy("mail", "z", on_failure=True)})
    id = field.start({})
    for round in (1, 2, 3):
        field.dead(id, "a", round=round)
        field.done(id, "z", round=round)
        assert field.show(id).state == "failed"
        field.walk(field.flows.retry(id, field.who()))
    assert {f"{id}:z", f"{id}:z:r2", f"{id}:z:r3"} <= field.jobs().keys()


def test_more_failed_jobs_than_one_call_forgets_are_all_made_again(field: Field) -> None:
    field.declare({"many": StepPolicy("stock", "many", for_each="{data}")})
    id = field.start(list(range(2_100)))
    for at in range(0, 2_100, 1_000):
        field.dead(id, *(f"many:{n}" for n in range(at, min(at + 1_000, 2_100))))
    field.walk(field.flows.retry(id, "p"))
    assert sum(job.endswith(":r2") for job in field.jobs()) == 2_100


def test_a_cancelled_flow_cancels_its_jobs_and_can_be_resumed(field: Field) -> None:
    id = field.start({"items": ["a", "b"]})
    field.done(id, "reserve", result={"id": 7})
    field.done(id, "pack:0")
    assert field.walk(field.flows.cancel(id, "p")) == "running"
    assert field.show(id).state == "cancelled"
    gone = field.connection.call(("ZCARD", keys.cancelled(keys.base("shop", "stock"))))
    assert (gone, field.states(id)["mail"], field.states(id)["sorry"]) == (1, "skipped", "skipped")
    with pytest.raises(WrongState):
        field.walk(field.flows.cancel(id, "p"))
    field.walk(field.flows.retry(id, "p"))
    assert {f"{id}:pack:1:r2", f"{id}:charge:r2"} <= field.jobs().keys()


def test_only_what_failed_or_was_cancelled_can_be_resumed(field: Field) -> None:
    id = field.start({"items": []})
    with pytest.raises(WrongState):
        field.walk(field.flows.retry(id, "p"))
    for unknown in ("checkout:none", "none"):
        with pytest.raises(FlowNotFound):
            field.walk(field.flows.retry(unknown, "p"))


# --- what nobody told the flow --------------------------------------------------------------------------------


def test_a_job_that_a_person_cancelled_or_purged_fails_its_step(field: Field) -> None:
    id = field.start({"items": ["a", "b", "c"]})
    field.done(id, "reserve", result={"id": 7})
    outcome = encode(Outcome(0, None, 0))
    field.end_in_queue(
        "stock", f"{id}:pack:0", lambda store: store.cancel(f"{id}:pack:0", 0, "", 1_000, outcome)
    )
    field.end_in_queue("stock", f"{id}:pack:1", lambda store: store.remove([(f"{id}:pack:1", 0, "", 60_000)]))
    assert field.look(id) == 2
    (pack,) = (step for step in field.show(id).steps if step.name == "pack")
    assert (pack.state, pack.failed, field.show(id).state) == ("running", 2, "running")
    field.done(id, "pack:2")
    assert field.show(id).state == "failing"


def test_jobs_that_a_server_forgot_are_made_again(field: Field) -> None:
    id = field.start({"items": ["a", "b"]})
    field.done(id, "reserve", result={"id": 7})
    field.connection.call(("DEL", keys.jobs(keys.base("shop", "stock"))))
    field.look(id)
    assert {f"{id}:pack:0", f"{id}:pack:1"} <= field.jobs().keys()


def test_a_flow_whose_time_is_over_fails_and_cancels_what_it_has_begun(field: Field) -> None:
    field.declare(CHECKOUT, timeout=1)
    id = field.start({"items": []})
    store = FlowStore("shop", "checkout")
    while not (due := run_blocking(field.connection, store.watch(60_000, None, None))[0]):
        pass
    assert due == [id]
    field.walk(field.flows.expire(id, "p", "1ms"))
    shown = field.show(id)
    assert shown.error is not None
    assert (shown.state, shown.error.type) == ("handling", "TimeoutError")
    assert field.jobs()[f"{id}:sorry"] == {"why": "the flow takes longer than 1ms"}
    field.done(id, "sorry")
    assert field.show(id).state == "failed"


def test_ended_flows_are_forgotten_and_leave_nothing(field: Field, broker: str) -> None:
    field.declare({"a": StepPolicy("stock", "a")}, "short", retention=Retention(1, None))
    ids = [field.start({}, str(n), "short") for n in range(3)]
    for id in ids:
        field.dead(id, "a")
    run_blocking(field.connection, FlowStore("shop", "short").watch(60_000, 1, None))
    with pytest.raises(FlowNotFound):
        field.show(ids[0])
    assert field.show(ids[2]).state == "failed"
    run_blocking(field.connection, FlowStore("shop", "short").watch(60_000, 0, None))
    left = {key.decode() for key in by_admin(broker, "KEYS", "{shop:flow:short}*")}
    assert left == {"{shop:flow:short}:meta", "{shop:flow:short}:stats"}
