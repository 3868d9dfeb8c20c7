"""What is kept of a job: records, earlier runs, outcomes; and what a handler can say of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.job import (
    KEPT_ERRORS,
    NO_RUNS,
    TRACEBACK_BYTES,
    AttemptError,
    Job,
    KeptError,
    Options,
    Outcome,
    Runs,
    decode_job,
    decode_outcome,
    decode_runs,
    encode,
    encode_record,
)
from pipeline.policy import Backoff, Timeout

ERROR = AttemptError("TimeoutError", "too slow", "Traceback", ("TimeoutError",))
payloads = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(payloads)
def test_a_payload_comes_back_as_it_went_in(data: Any) -> None:
    job = decode_job(encode_record(1_000, "send", data))
    assert (job.enqueued_at, job.name, job.data) == (1_000, "send", data)


def test_a_record_is_a_plain_json_array_and_names_options_only_where_there_are_any() -> None:
    assert encode_record(1_000, "send", {"n": 1}) == b'[1000,"send",{"n":1}]'
    options = Options(priority=5, attempts=3)
    assert encode_record(1, "send", None, options) == b'[1,"send",null,{"priority":5,"attempts":3}]'


def test_options_come_back_as_they_went_in() -> None:
    options = Options(-7, 3, Backoff("list", delays=(1, 2), jitter=0.5), Timeout(1, 2), "key")
    assert decode_job(encode_record(1, "send", None, options)).options == options


def test_a_job_of_an_older_record_has_the_defaults() -> None:
    job = decode_job(b'[1,"send",null]')
    assert (job.options, job.attempt, job.attempts) == (Options(), 1, 1)


@pytest.mark.parametrize("data", [object(), {1, 2, object()}, {"a": {(1, 2): 3}}, "\ud800"])
def test_what_json_cannot_hold_cannot_be_a_payload(data: Any) -> None:
    with pytest.raises((TypeError, ValueError, OverflowError)):
        encode_record(1, "send", data)


def test_a_payload_that_holds_itself_cannot_be_one() -> None:
    data: list[Any] = []
    data.append(data)
    with pytest.raises(RecursionError):
        encode_record(1, "send", data)


def test_a_failed_attempt_is_spent_or_not_and_its_error_kept() -> None:
    spent = NO_RUNS.failed(ERROR, 5_000, spent=True)
    assert spent == Runs(1, 0, (KeptError(1, 5_000, "TimeoutError", "too slow", "Traceback"),))
    later = spent.failed(ERROR, 6_000, spent=False)
    assert (later.attempts, [error.attempt for error in later.errors]) == (1, [1, 2])


def test_the_errors_of_the_last_five_attempts_are_kept_with_the_end_of_their_traceback() -> None:
    runs = NO_RUNS
    for at in range(8):
        runs = runs.failed(AttemptError("E", str(at), "x" * TRACEBACK_BYTES + "end"), at, spent=True)
    assert [error.attempt for error in runs.errors] == [4, 5, 6, 7, 8]
    assert len(runs.errors) == KEPT_ERRORS
    assert len(runs.errors[-1].traceback) == TRACEBACK_BYTES
    assert runs.errors[-1].traceback.endswith("end")


def test_a_crash_is_counted_apart_from_attempts() -> None:
    assert NO_RUNS.crashed().crashed() == Runs(0, 2, ())


def test_runs_and_outcomes_come_back_as_they_went_in() -> None:
    runs = Runs(2, 1, (KeptError(1, 5, "E", "m", "t"),))
    assert decode_runs(encode(runs)) == runs
    outcome = Outcome(3, 10, 20, {"id": 1}, runs.errors[0])
    assert decode_outcome(encode(outcome)) == outcome
    assert decode_outcome(b"[1,10,20]") == Outcome(1, 10, 20)


async def test_notes_may_be_awaited_or_called_plainly() -> None:
    told: list[tuple[str, str, Any]] = []

    async def note(job: Job[Any], kind: str, value: Any) -> None:
        told.append((job.id, kind, value))

    job: Job[Any] = Job(1, "send", None, id="7")
    # Without a worker, as in a test of a handler, notes go nowhere.
    await job.progress(50)
    job.log("plainly")
    job.note = lambda *said: asyncio.ensure_future(note(*said))
    await job.progress({"done": 3})
    await job.log("charged")
    assert told == [("7", "progress", {"done": 3}), ("7", "log", "charged")]
