"""`pipeline enqueue`: what it prints, what it takes, what it refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest

Shop = Any


def test_a_job_is_answered_with_its_id_and_created(shop: Shop) -> None:
    assert shop.ok("enqueue", "emails", "welcome", '{"to": "ann"}') == "1  created\n"
    assert shop.json("jobs", "show", "emails", "1")["data"] == {"to": "ann"}


def test_the_json_has_queue_id_and_status(shop: Shop) -> None:
    answer = shop.json("enqueue", "emails", "welcome", "1")
    assert answer == {"queue": "emails", "id": "1", "status": "created"}


def test_an_id_of_ones_own_is_taken_once(shop: Shop) -> None:
    shop.publish()
    assert shop.ok("enqueue", "emails", "welcome", "1", "--id", "evt_1") == "evt_1  created\n"
    assert shop.ok("enqueue", "emails", "welcome", "1", "--id", "evt_1") == "evt_1  duplicate\n"


def test_the_payload_comes_from_the_input(shop: Shop) -> None:
    shop.ok("enqueue", "emails", "welcome", "-", input='{"to":\n "bob"}')
    assert shop.json("jobs", "show", "emails", "1")["data"] == {"to": "bob"}


def test_a_job_without_payload_has_null(shop: Shop) -> None:
    shop.ok("enqueue", "emails", "welcome")
    assert shop.json("jobs", "show", "emails", "1")["data"] is None


def test_delay_time_and_priority_are_the_jobs_own(shop: Shop) -> None:
    shop.ok("enqueue", "emails", "welcome", "1", "--delay", "1h", "--priority", "7")
    shop.ok("enqueue", "emails", "welcome", "1", "--at", "2999-01-01T00:00:00Z")
    first, second = (shop.json("jobs", "show", "emails", id) for id in ("1", "2"))
    assert (first["state"], first["priority"]) == ("delayed", 7)
    assert 3_590_000 < first["due_at"] - first["enqueued_at"] < 3_610_000
    assert second["due_at"] == 32_472_144_000_000


def test_a_file_gives_a_job_a_line(shop: Shop) -> None:
    source = shop.root / "orders.jsonl"
    source.write_text("".join(f'{{"n": {n}}}\n' for n in range(2_500)) + "\n")
    assert shop.ok("enqueue", "emails", "welcome", "--from", source) == "emails: 2,500 created\n"
    listed = shop.json("jobs", "list", "emails", "--limit", "1")
    assert listed[0]["data"] == {"n": 2_499}


def test_a_file_with_json_answers_each_line(shop: Shop) -> None:
    out = shop.call("enqueue", "emails", "welcome", "--from", "-", "--json", input="1\n2\n").stdout
    assert [json.loads(line)["id"] for line in out.splitlines()] == ["1", "2"]


def test_a_bad_line_names_itself_and_tells_what_went_in(shop: Shop) -> None:
    lines = ["1\n"] * 1_200 + ["{oops}\n"]
    result = shop.call("enqueue", "emails", "welcome", "--from", "-", input="".join(lines))
    assert result.exit_code == 1
    assert "error: line 1,201: the payload is not JSON" in result.stderr
    assert "help: the 1,000 jobs before are in" in result.stderr


@pytest.mark.parametrize(
    ("words", "code", "says", "help"),
    [
        (["emails", "welcome", "{to: ann}"], "invalid_payload", "the payload is not JSON", "quote it"),
        (["emails", "welcome", "NaN"], "invalid_payload", "NaN is not JSON", "quote it"),
        (["emial", "welcome", "1"], "unknown_queue", "there is no queue 'emial'", "emails"),
        (["payments", "captrue", "1"], "unknown_job", "has no job 'captrue'", "did you mean 'capture'?"),
        (["emails", "welcome", "1", "--id", "17"], "invalid_option", "'17' cannot be a job's id", "digits"),
        (["emails", "welcome", "1", "--priority", "2000000"], "invalid_option", "priority 2000000", ""),
    ],
)
def test_a_refusal_has_a_code_a_message_and_help(
    shop: Shop, words: list[str], code: str, says: str, help: str
) -> None:
    result = shop.call("enqueue", *words, "--json")
    error = json.loads(result.stdout)["error"]
    assert (result.exit_code, error["code"]) == (1, code)
    assert says in error["message"]
    assert help in (error["help"] or "")
    assert sorted(error) == ["code", "help", "message"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--delay", "5"], "'5' is not a duration"),
        (["--at", "2999-01-01"], "has no time zone"),
        (["--at", "soon"], "is not a time"),
        (["--id", "x", "--from", "-"], "--from gives the payloads"),
    ],
)
def test_options_that_make_no_sense_are_usage_errors(shop: Shop, options: list[str], says: str) -> None:
    result = shop.call("enqueue", "emails", "welcome", *options)
    assert result.exit_code == 2
    assert says in result.stderr
