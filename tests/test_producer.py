"""What is checked and filled in before anything is sent: each refusal with its class and its words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from pipeline.errors import (
    EnqueueError,
    InvalidOption,
    InvalidPayload,
    PayloadTooLarge,
    UnknownJob,
)
from pipeline.job import Options, decode_job
from pipeline.policy import Backoff, Deduplication, JobPolicy, QueuePolicy, Timeout
from pipeline.producer import CHUNK, DEBOUNCE_SLACK, Each, Plain, Wanted, batches, new_job, record

SCHEMA = {"type": "object", "required": ["sku"], "properties": {"sku": {"type": "string"}}}
QUEUE = QueuePolicy(
    "inventory",
    jobs={
        "sync": JobPolicy(),
        "strict": JobPolicy(schema=SCHEMA),
        "urgent": JobPolicy(priority=9),
        "until_done": JobPolicy(deduplication=Deduplication("{queue}/{name}/{data.sku}", "until_done")),
        "throttled": JobPolicy(deduplication=Deduplication("{data.sku?}", "throttle", 60_000)),
        "debounced": JobPolicy(deduplication=Deduplication("{data.sku}", "debounce", 5_000)),
        "same": JobPolicy(deduplication=Deduplication("{hash}", "until_done")),
        "brief": JobPolicy(expires=60_000),
    },
    max_payload=100,
)
AT = 1_700_000_000_000


def options(wanted: Wanted, queue: QueuePolicy = QUEUE) -> Options:
    return decode_job(new_job(queue, AT, wanted).record).options


def sync(given: dict[str, Any]) -> Wanted:
    return Wanted("sync", None, **given)


# --- refusals ------------------------------------------------------------------------------------------


def test_an_unknown_name_is_refused_with_the_near_one_or_all() -> None:
    with pytest.raises(UnknownJob, match="queue 'inventory' has no job 'synk'") as caught:
        new_job(QUEUE, AT, Wanted("synk", None))
    assert caught.value.help == "did you mean 'sync'?"
    with pytest.raises(UnknownJob) as caught:
        new_job(QUEUE, AT, Wanted("capture", None))
    assert all(name in caught.value.help for name in QUEUE.jobs)


def test_a_queue_with_one_handler_takes_every_name() -> None:
    queue = QueuePolicy("emails", others=JobPolicy(priority=2))
    assert new_job(queue, AT, Wanted("anything", None)).level == 2


@pytest.mark.security("S1")
@pytest.mark.parametrize(
    "data", [object(), {"a": {1, object()}}, "\ud800", lambda: None, float("nan"), {"a": [float("-inf")]}]
)
def test_a_payload_that_is_not_json_is_refused(data: Any) -> None:
    with pytest.raises(InvalidPayload, match="the payload of 'sync' is not JSON: "):
        new_job(QUEUE, AT, Wanted("sync", data))


def test_a_payload_that_holds_itself_is_refused() -> None:
    data: list[Any] = []
    data.append(data)
    with pytest.raises(InvalidPayload, match="is not JSON"):
        new_job(QUEUE, AT, Wanted("sync", data))


def test_a_payload_against_its_schema_is_refused_with_the_place() -> None:
    new_job(QUEUE, AT, Wanted("strict", {"sku": "a"}))
    with pytest.raises(InvalidPayload, match=r"'strict' does not fit its schema: .*sku"):
        new_job(QUEUE, AT, Wanted("strict", {"sku": 5}))


def test_a_payload_may_have_as_many_bytes_as_the_queue_takes_and_no_more() -> None:
    new_job(QUEUE, AT, Wanted("sync", "x" * 98))
    with pytest.raises(
        PayloadTooLarge, match="has 101 bytes, more than the 100 that queue 'inventory' takes"
    ):
        new_job(QUEUE, AT, Wanted("sync", "x" * 99))
    with pytest.raises(PayloadTooLarge, match="has 102 bytes"):
        new_job(QUEUE, AT, Wanted("sync", "é" * 50))


@pytest.mark.security("S29")
@pytest.mark.parametrize("id", ["17", "", "a b", "é", "x" * 129, "a/b", "a\n", 17, b"x"])
def test_an_id_that_could_be_ours_or_hurts_is_refused(id: Any) -> None:
    with pytest.raises(InvalidOption, match="cannot be a job's id"):
        new_job(QUEUE, AT, Wanted("sync", None, id=id))


@pytest.mark.parametrize("id", ["a", "evt_1", "x" * 128, "stripe:evt.1@b-2", "17a", "-1"])
def test_a_callers_id(id: str) -> None:
    assert new_job(QUEUE, AT, Wanted("sync", None, id=id)).id == id


@pytest.mark.parametrize("priority", [1_000_001, -1_000_001, 1.5, "5", True])
def test_a_priority_out_of_its_range_is_refused(priority: Any) -> None:
    with pytest.raises(InvalidOption, match="is not an integer from -1,000,000 to 1,000,000"):
        new_job(QUEUE, AT, Wanted("sync", None, priority=priority))


@pytest.mark.parametrize("option", ["delay", "timeout"])
def test_a_duration_that_is_none_is_refused_and_a_bare_number_is_a_type_error(option: str) -> None:
    with pytest.raises(InvalidOption, match=f"{option}: '5 parsecs' is not a duration"):
        new_job(QUEUE, AT, sync({option: "5 parsecs"}))
    with pytest.raises(InvalidOption, match=f"{option}: .* is negative"):
        new_job(QUEUE, AT, sync({option: timedelta(-1)}))
    with pytest.raises(TypeError, match="5 has no unit: write '5s'"):
        new_job(QUEUE, AT, sync({option: 5}))


def test_a_time_without_a_zone_and_a_time_beside_a_delay_are_refused() -> None:
    with pytest.raises(InvalidOption, match="has no time zone") as caught:
        new_job(QUEUE, AT, Wanted("sync", None, at=datetime(2030, 1, 1)))  # noqa: DTZ001 - that is the point
    assert "UTC" in caught.value.help
    with pytest.raises(InvalidOption, match="a delay or a time, not both"):
        new_job(QUEUE, AT, Wanted("sync", None, delay="5s", at=datetime.now(UTC)))


@pytest.mark.parametrize("attempts", [0, -1, 1.5, True, "3"])
def test_a_job_has_a_whole_number_of_attempts_and_one_at_least(attempts: Any) -> None:
    with pytest.raises(InvalidOption, match="give 1 or more, the first run counts too"):
        new_job(QUEUE, AT, Wanted("sync", None, attempts=attempts))


@pytest.mark.parametrize("backoff", ["2s", 5, {"type": "fixed", "delay": 5}])
def test_a_backoff_that_no_worker_could_read_is_refused(backoff: Any) -> None:
    with pytest.raises(InvalidOption, match="is no Backoff"):
        new_job(QUEUE, AT, Wanted("sync", None, backoff=backoff))


def test_a_payload_without_its_key_is_refused_unless_the_key_may_be_missing() -> None:
    with pytest.raises(
        InvalidPayload, match=r"no deduplication key for 'until_done': \{data.sku\} is missing"
    ):
        new_job(QUEUE, AT, Wanted("until_done", {}))
    assert new_job(QUEUE, AT, Wanted("throttled", {})).key == ""


def test_every_refusal_is_an_enqueue_error_with_a_code() -> None:
    for refusal in (UnknownJob, InvalidPayload, PayloadTooLarge, InvalidOption):
        assert issubclass(refusal, EnqueueError)
        assert refusal.code not in ("", EnqueueError.code)


# --- what is filled in ---------------------------------------------------------------------------------


def test_a_plain_job_has_nothing_of_its_own() -> None:
    job = new_job(QUEUE, AT, Wanted("sync", {"n": 1}))
    assert job == ("", 0, "", "", "", "", "", b'[1700000000000,"sync",{"n":1}]')


@pytest.mark.parametrize(
    ("given", "due"),
    [
        ({}, ""),
        ({"delay": "1m30s"}, "+90000"),
        ({"delay": timedelta(seconds=2)}, "+2000"),
        ({"at": datetime(2030, 1, 1, tzinfo=UTC)}, "1893456000000"),
        ({"at": datetime(2030, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))}, "1893456000000"),
        ({"at": datetime(1950, 1, 1, tzinfo=UTC)}, "0"),
    ],
)
def test_when_a_job_is_due(given: dict[str, Any], due: str) -> None:
    assert new_job(QUEUE, AT, Wanted("sync", None, **given)).due == due


@pytest.mark.parametrize(("priority", "level"), [(None, 9), (0, 0), (-1_000_000, -1_000_000)])
def test_a_calls_priority_wins_over_the_policys(priority: int | None, level: int) -> None:
    wanted = Wanted("urgent", None, priority=priority)
    assert new_job(QUEUE, AT, wanted).level == level
    assert options(wanted).priority == level


def test_the_options_of_a_call_stand_in_its_record() -> None:
    backoff = Backoff("fixed", delay=5)
    wanted = Wanted("sync", None, attempts=4, backoff=backoff, timeout="3s")
    assert options(wanted) == Options(attempts=4, backoff=backoff, timeout=Timeout(hard=3_000))


def test_a_key_held_until_the_job_is_done_stands_in_its_record_to_be_freed() -> None:
    wanted = Wanted("until_done", {"sku": "A-1"})
    job = new_job(QUEUE, AT, wanted)
    assert (job.key, job.window) == ("until_done:inventory/until_done/A-1", "")
    assert options(wanted).key == "until_done:inventory/until_done/A-1"


def test_jobs_of_different_names_are_no_duplicates_of_one_another() -> None:
    keys = {new_job(QUEUE, AT, Wanted(name, {"sku": "A-1"})).key for name in ("throttled", "debounced")}
    assert len(keys) == 2


def test_a_throttled_key_ends_with_its_window_alone() -> None:
    wanted = Wanted("throttled", {"sku": "A-1"})
    job = new_job(QUEUE, AT, wanted)
    assert (job.key, job.window) == ("throttled:A-1", 60_000)
    assert options(wanted).key == ""


def test_a_debounced_job_is_delayed_by_its_ttl_and_its_key_lasts_a_little_longer() -> None:
    job = new_job(QUEUE, AT, Wanted("debounced", {"sku": "A-1"}))
    assert (job.key, job.due, job.mode) == ("debounced:A-1", "+5000", "debounce")
    assert job.window == 5_000 + DEBOUNCE_SLACK


@pytest.mark.parametrize(
    "given", [{"delay": "1s"}, {"at": datetime(2030, 1, 1, tzinfo=UTC)}, {"front": True}]
)
def test_when_a_debounced_job_runs_is_not_for_the_caller_to_say(given: dict[str, Any]) -> None:
    with pytest.raises(InvalidOption, match="is debounced"):
        new_job(QUEUE, AT, Wanted("debounced", {"sku": "A-1"}, **given))


def test_the_hash_of_a_payload_is_the_same_for_the_same_content_only() -> None:
    one, other, another = (
        new_job(QUEUE, AT, Wanted("same", data)).key
        for data in ({"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": 1})
    )
    assert one == other != another


def test_a_call_brings_its_own_deduplication() -> None:
    wanted = Wanted("throttled", {"sku": "A-1"}, deduplication=Deduplication("{mine}"))
    job = new_job(QUEUE, AT, wanted)
    assert (job.key, job.window, options(wanted).key) == ("{mine}", "", "{mine}")


@pytest.mark.parametrize(
    "rule",
    [
        Deduplication(""),
        Deduplication("k", "throttle"),
        Deduplication("k", "debounce", 0),
        Deduplication("k", "sometimes"),  # type: ignore[arg-type]
        "k",
    ],
)
def test_a_deduplication_that_cannot_be_is_refused(rule: Any) -> None:
    with pytest.raises(InvalidOption):
        new_job(QUEUE, AT, Wanted("sync", None, deduplication=rule))


@pytest.mark.parametrize(
    ("given", "expires"),
    [
        ({}, AT + 60_000),
        ({"expires": "5s"}, AT + 5_000),
        ({"delay": "1s"}, AT + 61_000),
        ({"front": True}, AT + 60_000),
        ({"at": datetime(2030, 1, 1, tzinfo=UTC)}, 1_893_456_060_000),
        ({"at": datetime(1950, 1, 1, tzinfo=UTC)}, AT + 60_000),
    ],
)
def test_a_job_expires_so_long_after_it_could_begin(given: dict[str, Any], expires: int) -> None:
    assert options(Wanted("brief", None, **given)).expires == expires


def test_a_job_goes_to_the_front_or_has_a_time() -> None:
    assert new_job(QUEUE, AT, Wanted("sync", None, front=True)).due == "front"
    with pytest.raises(InvalidOption, match="front"):
        new_job(QUEUE, AT, Wanted("sync", None, front=True, delay="1s"))


# --- batches -------------------------------------------------------------------------------------------


def test_jobs_that_are_alike_leave_as_plain_records() -> None:
    [batch] = batches(QUEUE, AT, [Wanted("urgent", n) for n in range(3)])
    assert isinstance(batch, Plain)
    assert (batch.level, len(batch.records)) == (9, 3)


@pytest.mark.parametrize(
    "other",
    [
        Wanted("sync", None, id="x"),
        Wanted("sync", None, delay="1s"),
        Wanted("sync", None, priority=1),
        Wanted("throttled", {"sku": "A"}),
    ],
)
def test_one_that_is_not_alike_makes_all_of_its_batch_leave_one_by_one(other: Wanted) -> None:
    [batch] = batches(QUEUE, AT, [Wanted("sync", None), other])
    assert isinstance(batch, Each)
    assert len(batch.jobs) == 2


def test_a_batch_has_a_thousand_jobs_at_most() -> None:
    sizes = [len(batch.records) for batch in batches(QUEUE, AT, [Wanted("sync", None)] * 2_500)]  # type: ignore[union-attr]
    assert sizes == [CHUNK, CHUNK, 500]


def test_one_refusal_refuses_all() -> None:
    with pytest.raises(UnknownJob):
        batches(QUEUE, AT, [*[Wanted("sync", None)] * 1_500, Wanted("nope", None)])


# --- the short way -------------------------------------------------------------------------------------


def test_the_short_way_makes_the_same_record() -> None:
    short = record(QUEUE, AT, "sync", {"n": 1})
    job = new_job(QUEUE, AT, Wanted("sync", {"n": 1}))
    assert short == (job.level, job.record)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("strict", {"sku": "a"}),
        ("urgent", None),
        ("until_done", {"sku": "a"}),
        ("nope", None),
        ("sync", object()),
        ("sync", "x" * 99),
    ],
)
def test_whatever_takes_a_closer_look_does_not_go_the_short_way(name: str, data: Any) -> None:
    assert record(QUEUE, AT, name, data) is None


def test_null_is_a_fine_payload() -> None:
    assert record(QueuePolicy("q", others=JobPolicy()), AT, "a", {"to": None}) is None
    assert decode_job(
        new_job(QueuePolicy("q", others=JobPolicy()), AT, Wanted("a", {"to": None})).record
    ).data == {"to": None}


@pytest.mark.parametrize(
    "backoff",
    [Backoff("list"), Backoff("fixed", -1), Backoff("fixed", 1, jitter=2), Backoff("fixed", "2s")],  # type: ignore[arg-type]
)
def test_a_backoff_that_no_worker_could_follow_is_refused(backoff: Backoff) -> None:
    with pytest.raises(InvalidOption, match="backoff"):
        new_job(QUEUE, AT, sync({"backoff": backoff}))
