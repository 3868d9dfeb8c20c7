"""Jobs changed, copied, moved in bulk and searched from the command line."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

import pytest

from pipeline.store import bulk
from pipeline.store.call import run_blocking
from pipeline.store.store import Store
from tests.cli.conftest import turn
from tests.cli.test_jobs import enqueue

Shop = Any


def ids(shop: Shop, *words: str) -> list[str]:
    return [job["id"] for job in shop.json("jobs", "list", "emails", *words)]


def found(shop: Shop, *words: str) -> list[str]:
    return [
        json.loads(line)["id"] for line in shop.ok("jobs", "search", "emails", *words, "--json").splitlines()
    ]


# --- one job -------------------------------------------------------------------------------------------


def test_a_job_is_updated(shop: Shop) -> None:
    enqueue(shop)
    assert (
        shop.ok("jobs", "update", "emails", "1", "--data", '{"to": "bob"}', "--priority", "4")
        == "1  waiting\n"
    )
    told = shop.json("jobs", "show", "emails", "1")
    assert (told["data"], told["priority"]) == ({"to": "bob"}, 4)
    told = shop.json("jobs", "update", "emails", "1", "--delay", "1h")
    assert told == {"queue": "emails", "id": "1", "state": "delayed"}
    assert shop.ok("jobs", "update", "emails", "1", "--front") == "1  waiting\n"
    assert shop.ok("jobs", "update", "emails", "1", "--data", "-", input="null") == "1  waiting\n"
    assert shop.json("jobs", "show", "emails", "1")["data"] is None


def test_an_update_says_what_it_needs_and_what_it_refuses(shop: Shop) -> None:
    enqueue(shop)
    assert shop.call("jobs", "update", "emails", "1").exit_code == 2
    result = shop.call("jobs", "update", "emails", "1", "--data", "{", "--json")
    assert (result.exit_code, json.loads(result.stdout)["error"]["code"]) == (1, "invalid_payload")
    shop.end("completed")
    result = shop.call("jobs", "update", "emails", "1", "--priority", "1", "--json")
    assert (result.exit_code, json.loads(result.stdout)["error"]["code"]) == (1, "wrong_state")


def test_a_job_is_duplicated(shop: Shop) -> None:
    enqueue(shop)
    shop.end("completed")
    assert shop.ok("jobs", "duplicate", "emails", "1") == "2  created\n"
    assert shop.json("jobs", "duplicate", "emails", "1", "--id", "b") == {
        "queue": "emails",
        "id": "b",
        "status": "created",
    }
    assert [job["data"] for job in shop.json("jobs", "list", "emails")] == [{"to": "ann"}] * 3


# --- many ----------------------------------------------------------------------------------------------


def test_many_are_moved_by_filters(shop: Shop) -> None:
    enqueue(shop, 2, "welcome")
    enqueue(shop, 2, "receipt")
    assert shop.ok("jobs", "cancel", "emails", "--job", "welcome", "--yes") == "emails: 2 cancelled\n"
    assert shop.ok("jobs", "cancel", "emails", "--newer-than", "1h", "--yes") == "emails: 2 cancelled\n"
    assert shop.ok("jobs", "cancel", "emails", "--older-than", "1h", "--yes") == "emails: 0 cancelled\n"
    told = shop.json("jobs", "retry", "emails", "--state", "cancelled", "--job", "receipt", "--yes")
    assert told == {
        "queue": "emails", "retried": 2, "told_to_stop": 0, "moved_on": 0, "kept": {}, "left": 0,
    }  # fmt: skip
    shop.end("dead", error="TimeoutError")
    assert shop.ok("jobs", "retry", "emails", "--error", "timeout", "--yes") == "emails: 1 retried\n"
    assert shop.ok("jobs", "remove", "emails", "--state", "waiting", "--state", "cancelled", "--yes") == (
        "emails: 4 removed\n"
    )
    shop.ok("enqueue", "emails", "welcome", "1", "--delay", "1h")
    assert shop.ok("jobs", "promote", "emails", "--all", "--yes") == "emails: 1 promoted\n"


def test_many_that_run_are_told_to_stop(shop: Shop) -> None:
    enqueue(shop)
    with shop.connection() as connection:
        run_blocking(connection, Store("shop", "emails").join("w", 60_000))
        connection.call(turn(Store("shop", "emails"), "w", 1, want=1))
    assert ids(shop, "--state", "active") == ["1"]
    told = shop.ok("jobs", "cancel", "emails", "--state", "active", "--yes")
    assert told == "emails: 0 cancelled\n1 that run were told to stop\n"


@pytest.mark.parametrize(
    "words",
    [
        ["cancel"],
        ["cancel", "1", "--all"],
        ["cancel", "1", "--state", "waiting"],
        ["retry", "--state", "completed"],
        ["remove", "--all"],
    ],
)
def test_what_is_meant_must_be_said(shop: Shop, words: list[str]) -> None:
    assert shop.call("jobs", words[0], "emails", *words[1:]).exit_code == 2


def test_many_are_asked_about_and_never_of_a_program(shop: Shop) -> None:
    enqueue(shop, 3)
    result = shop.call("jobs", "cancel", "emails", "--all")
    assert result.exit_code == 1
    assert "Cancel 3 waiting or delayed jobs of emails? Nobody can be asked here" in result.stderr
    assert ids(shop, "--state", "waiting") == ["3", "2", "1"]


def test_ctrl_c_ends_behind_a_chunk_and_the_count_is_true(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    enqueue(shop, 5)
    monkeypatch.setattr(bulk, "PAGE", 2)
    run_many: Any = vars(bulk)["run_many"]

    def interrupted(*given: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        return run_many(*given)

    monkeypatch.setattr(bulk, "run_many", interrupted)
    result = shop.call("jobs", "cancel", "emails", "--all", "--yes")
    assert (result.exit_code, result.stdout) == (130, "emails: 2 cancelled\n")
    assert result.stderr == "stopped: 3 are as they were\n"
    assert len(ids(shop, "--state", "waiting")) == 3


def test_what_moves_on_before_its_chunk_comes_is_left_alone(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    enqueue(shop, 4)
    monkeypatch.setattr(bulk, "PAGE", 2)
    run_many: Any = vars(bulk)["run_many"]

    def meanwhile(*given: Any) -> Any:
        answers = run_many(*given)
        if "completed" not in {job["state"] for job in shop.json("jobs", "list", "emails")}:
            shop.end("completed")
        return answers

    monkeypatch.setattr(bulk, "run_many", meanwhile)
    told = shop.json("jobs", "cancel", "emails", "--all", "--yes")
    assert (told["cancelled"], told["moved_on"]) == (3, 1)


# --- search --------------------------------------------------------------------------------------------


@pytest.fixture
def mixed(shop: Shop) -> Shop:
    """1 died, 2 is completed, evt_1 waits, 3 is delayed."""
    enqueue(shop, 1, "welcome")
    enqueue(shop, 1, "receipt")
    shop.end("dead", error="CardDeclined")
    shop.end("completed")
    shop.ok("enqueue", "emails", "welcome", '{"to": "Zoë", "n": 17}', "--id", "evt_1")
    shop.ok("enqueue", "emails", "welcome", '{"to": "bob"}', "--delay", "1h")
    return shop


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["ZOË"], ["evt_1"]),
        (["evt"], ["evt_1"]),
        (["carddeclined"], ["1"]),
        (["receipt"], ["2"]),
        (["nowhere"], []),
        (["--id", "evt_"], ["evt_1"]),
        (["--id", "vt_"], []),
        (["--id", "*"], []),
        (["--job", "welcome", "--state", "delayed", "--state", "waiting"], ["3", "evt_1"]),
        (["--error", "went wrong"], ["1"]),
        (["--since", "1h"], ["3", "evt_1"]),
        (["--until", "2020-01-01T00:00:00Z"], ["2", "1"]),
        (["bob", "--job", "receipt"], []),
    ],
)
def test_jobs_are_searched(mixed: Shop, words: list[str], expected: list[str]) -> None:
    assert sorted(found(mixed, *words)) == sorted(expected)


def test_a_search_stops_at_its_limit_and_goes_on_behind_it(mixed: Shop) -> None:
    result = mixed.call("jobs", "search", "emails", "welcome", "--limit", "2")
    assert "evt_1" in result.stdout
    last = result.stderr.split("--after ")[1].split()[0]
    assert found(mixed, "welcome", "--after", last) == ["1"]


def test_a_search_says_how_many_it_looked_at(mixed: Shop) -> None:
    result = mixed.call("jobs", "search", "emails", "receipt")
    assert (result.exit_code, result.stderr) == (0, "4 jobs were looked at\n")
    assert result.stdout.split()[:3] == ["2", "receipt", "completed"]
    assert '{"to":"ann"}' in result.stdout


def test_many_ids_are_searched_in_pages(shop: Shop) -> None:
    with shop.connection() as connection:
        flat = [part for n in range(3_000) for part in (f"a{n}", b'[1,"x",null]')]
        connection.call(("HSET", "{shop:emails}:jobs", *flat))
    assert len(found(shop, "--id", "a1", "--limit", "5000")) == 1111
    result = shop.call("jobs", "search", "emails", "--id", "a1", "--limit", "3")
    assert "give more of the id" in result.stderr
