"""Dead jobs by what they died of, and a redrive that looks at what becomes of them."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pipeline.errors import WrongState
from tests.cli.conftest import Shop


def died(shop: Shop, *errors: str) -> None:
    for error in errors:
        shop.ok("enqueue", "emails", "welcome", "{}")
        shop.end("dead", error=error)


@contextmanager
def working(shop: Shop, *ends: str) -> Iterator[None]:
    """Somebody works the queue meanwhile: the jobs that come end in turn like this, the last way over and over."""
    over, ways = threading.Event(), list(ends)

    def work() -> None:
        while not over.is_set():
            try:
                shop.end(ways[0], error="ValueError")
            except (ValueError, WrongState):
                time.sleep(0.01)  # nothing waits
            else:
                del ways[: len(ways) > 1]

    thread = threading.Thread(target=work)
    thread.start()
    yield
    over.set()
    thread.join()


def test_groups_have_their_size_times_and_a_sample_and_can_be_chosen(shop: Shop) -> None:
    died(shop, "TimeoutError", "CardDeclined", "CardDeclined")
    first, second = shop.json("dead", "groups", "emails")
    assert (first["type"], first["count"], first["sample"]) == ("CardDeclined", 2, "3")
    assert (second["type"], second["count"], second["message"]) == ("TimeoutError", 1, "went wrong")
    listed = shop.json("dead", "list", "emails", "--group", first["id"])
    assert {job["id"] for job in listed} == {"2", "3"}
    assert shop.ok("dead", "purge", "emails", "--group", second["id"], "--yes") == "emails: 1 dead deleted\n"
    assert shop.ok("dead", "redrive", "emails", "--group", first["id"], "--yes") == "emails: 2 redriven\n"


def test_groups_for_people_say_what_to_do_next(shop: Shop) -> None:
    assert shop.ok("dead", "groups", "emails") == "no dead job in emails\n"
    died(shop, "TimeoutError")
    result = shop.call("dead", "groups", "emails")
    assert "TimeoutError: went wrong" in result.stdout
    assert "pipeline dead redrive emails --group" in result.stderr


def test_after_a_probe_that_went_well_the_rest_follows(shop: Shop) -> None:
    died(shop, *["ValueError"] * 6)
    with working(shop, "completed"):
        told = shop.json("dead", "redrive", "emails", "--probe", "2", "--yes")
    assert told == {"queue": "emails", "redriven": 6, "died": 0, "left": 0, "kept": {}, "stopped": None}


def test_a_probe_that_dies_keeps_the_rest_where_it_is(shop: Shop) -> None:
    died(shop, *["ValueError"] * 6)
    with working(shop, "dead"):
        result = shop.call("dead", "redrive", "emails", "--probe", "2", "--yes", "--json")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["redriven"], told["died"], told["left"]) == (1, 2, 2, 4)
    assert told["stopped"] == "2 of 2 died again, more than 20%"
    assert len(shop.json("dead", "list", "emails")) == 6


def test_a_probe_that_does_not_end_stops_too_and_says_how_to_go_on(shop: Shop) -> None:
    died(shop, "ValueError", "ValueError")
    result = shop.call("dead", "redrive", "emails", "--probe", "1", "--patience", "200ms", "--yes")
    assert result.exit_code == 1
    assert "stopped: 1 of the first 1 have not ended within 200ms; 1 were not sent" in result.stderr
    assert "pipeline dead groups emails" in result.stderr


def test_it_stops_when_the_rest_begins_to_die(shop: Shop) -> None:
    died(shop, *["ValueError"] * 8)
    with working(shop, "completed", "dead"):
        words = ("--rate", "10/s", "--stop-at", "30%", "--yes", "--json")
        result = shop.call("dead", "redrive", "emails", *words)
    told = json.loads(result.stdout)
    assert result.exit_code == 1
    assert told["died"] > 0
    assert told["stopped"].endswith("died again, more than 30%")


def test_a_rate_is_kept(shop: Shop) -> None:
    died(shop, *["ValueError"] * 2)
    begun = time.monotonic()
    assert shop.ok("dead", "redrive", "emails", "--rate", "2/s", "--yes") == "emails: 2 redriven\n"
    assert time.monotonic() - begun >= 0.5


@pytest.mark.parametrize(
    "words", [("--rate", "50"), ("--rate", "0/s"), ("--stop-at", "1"), ("--stop-at", "100%")]
)
def test_a_rate_and_a_share_need_their_signs(shop: Shop, words: tuple[str, str]) -> None:
    result = shop.call("dead", "redrive", "emails", *words)
    assert result.exit_code == 2
    assert "write it as" in result.stderr
