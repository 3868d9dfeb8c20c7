"""Jobs moved from one broker to another: `jobs export`, `enqueue --from`, `jobs remove --from`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.store.call import run_blocking
from pipeline.store.export import held
from pipeline.store.store import Store
from tests.cli.conftest import Shop, turn

SAME = [
    "id",
    "name",
    "state",
    "data",
    "priority",
    "attempt",
    "attempts",
    "enqueued_at",
    "error",
    "dead_letter",
]


@pytest.fixture
def there(tmp_path_factory: pytest.TempPathFactory, shop: Shop) -> Shop:
    """The same project, on another broker."""
    other = Shop(tmp_path_factory.mktemp("there"), f"{shop.url}?db=1")
    other.publish()
    return other


def fill(shop: Shop) -> None:
    """A job of each kind that can be moved."""
    shop.publish()
    enqueue = ("enqueue", "emails", "welcome")
    shop.ok(*enqueue, '{"ü": [1, null, "\N{SNOWMAN}"]}')
    shop.ok(*enqueue, "{}", "--id", "mine", "--priority", "5")
    shop.ok(*enqueue, "{}", "--delay", "1h", "--priority", "-3")
    shop.ok(*enqueue, "{}")
    shop.ok("enqueue", "payments", "capture", "{}", "--id", "evt_1")


def exported(shop: Shop, *words: str) -> str:
    return shop.ok("jobs", "export", "emails", "payments", *words)


def standing(shop: Shop) -> list[dict[str, Any]]:
    found = [job for queue in ("emails", "payments") for job in shop.json("jobs", "list", queue)]
    return sorted(({name: job[name] for name in SAME} for job in found), key=lambda job: str(job["id"]))


def test_what_waits_is_the_same_there(shop: Shop, there: Shop) -> None:
    fill(shop)
    assert (
        there.ok("enqueue", "--from", "-", input=exported(shop)) == "emails: 4 created\npayments: 1 created\n"
    )
    assert standing(there) == standing(shop)
    assert there.json("enqueue", "emails", "welcome", "{}")["id"] == "4"


def test_dead_jobs_are_moved_when_they_are_asked_for(shop: Shop, there: Shop) -> None:
    fill(shop)
    shop.end("dead")
    lines = exported(shop, "--state", "dead")
    assert there.ok("enqueue", "--from", "-", input=lines) == "emails: 1 created\n"
    assert there.json("dead", "list", "emails") == shop.json("dead", "list", "emails")
    assert there.ok("jobs", "retry", "emails", "mine") == "mine  waiting\n"


def test_jobs_come_in_the_order_in_which_they_would_have_run(shop: Shop, there: Shop) -> None:
    fill(shop)
    assert [json.loads(line)["id"] for line in exported(shop).splitlines()] == [
        "mine",
        "1",
        "3",
        "2",
        "evt_1",
    ]
    there.ok("enqueue", "--from", "-", input=exported(shop))
    assert [there.end("completed") for _ in range(3)] == ["mine", "1", "3"]


def test_a_move_that_was_cut_off_is_repeated_without_harm(shop: Shop, there: Shop) -> None:
    fill(shop)
    lines = exported(shop)
    there.ok("enqueue", "--from", "-", input="".join(lines.splitlines(keepends=True)[:2]))
    there.end("completed")
    told = there.ok("enqueue", "--from", "-", input=lines)
    assert told == "emails: 2 created, 2 duplicate\npayments: 1 created\n"
    assert there.ok("enqueue", "--from", "-", input=lines) == "emails: 4 duplicate\npayments: 1 duplicate\n"


def test_what_has_arrived_is_removed_here_and_nothing_else(shop: Shop, there: Shop, tmp_path: Path) -> None:
    fill(shop)
    file = tmp_path / "moved.jsonl"
    file.write_text(exported(shop))
    late = shop.json("enqueue", "emails", "welcome", "{}")["id"]
    assert shop.ok("jobs", "remove", "emails", "--from", file, "--yes") == "emails: 4 removed\n"
    assert [job["id"] for job in shop.json("jobs", "list", "emails")] == [late]


def test_an_id_that_another_job_has_there_is_told_and_ends_with_1(shop: Shop, there: Shop) -> None:
    fill(shop)
    there.ok("enqueue", "emails", "welcome", '"other"')
    result = there.call("enqueue", "--from", "-", input=exported(shop))
    assert result.exit_code == 1
    assert "emails 1 is another job there: this one was not stored" in result.stderr
    assert "keep these lines out of what `pipeline jobs remove --from` gets" in result.stderr
    assert "emails: 3 created, 1 taken" in result.stdout


def test_a_prefix_keeps_ids_of_ours_apart(shop: Shop, there: Shop) -> None:
    fill(shop)
    there.ok("enqueue", "emails", "welcome", '"other"')
    told = there.ok("enqueue", "--from", "-", "--prefix", "old", input=exported(shop))
    assert told == "emails: 4 created\npayments: 1 created\n"
    ids = {job["id"] for job in there.json("jobs", "list", "emails")}
    assert ids == {"1", "old:1", "old:2", "old:3", "mine"}
    assert there.call("enqueue", "--from", "-", "--prefix", "ü", input=exported(shop)).exit_code == 1
    assert there.call("enqueue", "emails", "welcome", "{}", "--prefix", "old").exit_code == 2


def test_an_export_says_what_stays_and_that_the_queue_should_be_paused(shop: Shop) -> None:
    fill(shop)
    with shop.connection() as connection:
        store = Store("shop", "emails")
        run_blocking(connection, store.join("w", 60_000))
        connection.call(turn(store, "w", 1, want=1))
    said = shop.call("jobs", "export", "emails").stderr
    assert f"emails: 2 waiting, 1 delayed, from {shop.url}" in said
    assert "emails: 1 run, and stay here" in said
    assert "`pipeline pause emails` first" in said


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "this is no job of `pipeline jobs export`"),
        ("[]", "Expected `object`"),
        ('{"layout": 99}', "missing required field"),
        (
            '{"layout":99,"queue":"emails","id":"a","state":"waiting","record":[1,"n",{}]}',
            "layout 99, this version",
        ),
        ('{"layout":1,"queue":"emails","id":"a b","state":"waiting","record":[1,"n",{}]}', "'a b' is no id"),
        (
            '{"layout":1,"queue":"emails","id":"1234567890123456","state":"waiting","record":[1,"n",{}]}',
            "is no id",
        ),
        (
            '{"layout":1,"queue":"../x","id":"a","state":"waiting","record":[1,"n",{}]}',
            "is no name of a queue",
        ),
        ('{"layout":1,"queue":"emails","id":"a","state":"active","record":[1,"n",{}]}', "Invalid enum value"),
        ('{"layout":1,"queue":"emails","id":"a","state":"waiting","record":"x"}', "Expected `array`"),
        ('{"layout":1,"queue":"emails","id":"a","state":"dead","record":[1,"n",{}]}', "has an outcome"),
        ('{"layout":1,"queue":"emails","id":"a","state":"delayed","record":[1,"n",{}]}', "has a time"),
        (
            '{"layout":1,"queue":"emails","id":"a","state":"waiting","record":[1,"n",{}],"runs":[1,"x"]}',
            "Expected `int`",
        ),
        (
            '{"layout":1,"queue":"emails","id":"a","state":"waiting","record":[1,"n",{},{"flow":"f:1"}]}',
            "step of a flow",
        ),
    ],
)
def test_a_line_that_is_no_job_is_refused_with_its_number(there: Shop, line: str, why: str) -> None:
    result = there.call("enqueue", "--from", "-", input=f"\n{line}\n")
    assert result.exit_code == 1
    assert "line 2: " in result.stderr
    assert why in result.stderr
    assert there.json("jobs", "list", "emails") == []


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"holds": True, "key_left": 0}, "key_left is 0, and not from 1 to"),
        ({"holds": True, "key_left": 10**15}, "key_left is 1000000000000000, and not"),
        ({"state": "delayed", "due_at": 10**30}, "due_at is 1000000000000000000000000000000, and not"),
        ({"state": "delayed", "due_at": -1}, "due_at is -1, and not"),
        ({"state": "dead", "outcome": [1, None, -1]}, "finished_at is -1, and not"),
        ({"runs": [-1, 0]}, "attempts made is -1, and not"),
        ({"runs": [0, 10**30]}, "crashes is 1000000000000000000000000000000, and not"),
        ({"record": [-1, "n", {}]}, "enqueued_at is -1, and not"),
        ({"record": [1, "n", {}, {"priority": 1_000_001}]}, "priority is 1000001, and not"),
        ({"record": [1, "n", {}, {"attempts": 0}]}, "attempts is 0, and not"),
    ],
)
def test_a_number_that_the_broker_cannot_reckon_with_is_refused_before_a_script_stops_half_way(
    there: Shop, given: dict[str, Any], why: str
) -> None:
    fine = {"layout": 1, "queue": "emails", "id": "a", "state": "waiting", "record": [1, "n", {}]}
    result = there.call("enqueue", "--from", "-", input=json.dumps(fine | given))
    assert result.exit_code == 1
    assert f"line 1: this is no job of `pipeline jobs export`: {why}" in result.stderr
    assert there.json("jobs", "list", "emails") == []


def test_a_key_in_its_last_ms_is_held_no_more() -> None:
    assert [held(left) for left in (0, 1, -1)] == [(False, None), (True, 1), (True, None)]


def test_a_queue_that_is_not_there_is_refused(there: Shop) -> None:
    line = '{"layout":1,"queue":"emailz","id":"a","state":"waiting","record":[1,"n",{}]}'
    result = there.call("enqueue", "--from", "-", input=line)
    assert (result.exit_code, "emailz" in result.stderr) == (1, True)


def test_enqueue_says_what_it_lacks(shop: Shop) -> None:
    result = shop.call("enqueue", "emails")
    assert (result.exit_code, "Missing argument 'JOB'" in result.stderr) == (2, True)
