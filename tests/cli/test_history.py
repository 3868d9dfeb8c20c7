"""`pipeline history`: the generations, what each one changed, and which one runs."""

from __future__ import annotations

import asyncio
import json

import pytest

from pipeline.broker import parse
from pipeline.clock import now_ms
from pipeline.config.load import require
from pipeline.status.supervisors import SupervisorState
from pipeline.store import keys
from pipeline.store.connect import connect
from pipeline.store.history import Cause, Origin
from pipeline.store.wire import Connection
from pipeline.supervisor.publish import Publisher
from pipeline.supervisor.records import write_record
from tests.cli.conftest import Shop

EDITS = (
    ("attempts: 3", "attempts: 4"),
    ("attempts: 4", "attempts: 5"),
    ("  emails:", "  emails:\n    paused: true"),
)


@pytest.fixture
def applied(shop: Shop) -> Shop:
    """A shop with four generations: the first, two by edits of `alice`, one that is rolled back to."""
    asyncio.run(apply_all(shop))
    return shop


async def apply_all(shop: Shop) -> None:
    connection = await connect(parse(shop.url))
    publisher = Publisher("s1")
    await publisher.greet(connection, require(shop.file), "root@box")
    origins: list[Origin] = ["reload", "reload", "rollback"]
    for (before, after), origin in zip(EDITS, origins, strict=True):
        shop.file.write_text(shop.file.read_text().replace(before, after))
        new = require(shop.file)
        await publisher.commit(
            connection, new, Cause(origin, "alice@box", 2 if origin == "rollback" else None)
        )
    await say_that_it_runs(connection, 3, require(shop.file).hash)
    connection.close()


async def say_that_it_runs(connection: Connection, generation: int, hash: str) -> None:
    record = SupervisorState("box", 7, generation, hash, "ready", None, 5)
    seconds, _ = await connection.call(("TIME",))
    await write_record(connection, "shop", "s1", record, int(seconds) * 1000)


def test_generations_are_listed_newest_first_with_what_each_one_changed(applied):
    told = applied.json("history")
    assert [one["generation"] for one in told] == [4, 3, 2, 1]
    assert [one["origin"] for one in told] == ["rollback", "reload", "reload", "start"]
    assert [[change["path"] for change in one["changes"]] for one in told] == [
        ["queues.emails.paused"],
        ["queues.emails.retry.attempts"],
        ["queues.emails.retry.attempts"],
        ["queues.emails", "queues.payments"],
    ]


def test_each_names_who_when_and_from_which_file(applied):
    newest = applied.json("history")[0]
    assert newest["by"] == "alice@box"
    assert newest["file"] == str(applied.file)
    assert newest["hash"] == require(applied.file).hash
    assert abs(newest["applied_at"] - now_ms()) < 60_000


def test_the_one_that_runs_is_marked(applied):
    assert [one["generation"] for one in applied.json("history") if one["running"]] == [3]
    rows = [line for line in applied.ok("history").splitlines() if " runs " in line]
    assert len(rows) == 1
    assert rows[0].startswith("3 runs")


def test_a_row_tells_the_first_changes(applied):
    rows = applied.ok("history").splitlines()
    assert rows[0].split() == ["generation", "applied", "origin", "by", "changes"]
    assert rows[1].rstrip().endswith("rollback to 2  alice@box  1: queues.emails.paused false -> true")
    assert rows[-1].rstrip().endswith("2: +queues.emails, +queues.payments")


def test_a_limit_cuts_the_old_ones(applied):
    told = applied.json("history", "--limit", "1")
    assert [one["generation"] for one in told] == [4]
    assert [change["path"] for change in told[0]["changes"]] == ["queues.emails.paused"]


def test_one_generation_shows_all_that_it_changed(applied):
    text = applied.ok("history", "2")
    assert "generation 2: reload by alice@box" in text
    assert "~ queues.emails.retry.attempts  3 -> 4  hot" in text
    assert "runs now" in applied.ok("history", "3")
    assert applied.json("history", "2")["generation"] == 2


def test_two_generations_are_compared_in_both_directions(applied):
    assert "attempts  3 -> 5  hot" in applied.ok("history", "--diff", "1", "3")
    (change,) = applied.json("history", "--diff", "3", "1")["changes"]
    assert (change["from"], change["to"]) == (5, 3)
    assert applied.ok("history", "--diff", "2", "2").strip() == "no changes"


def test_what_a_generation_changed_is_unknown_when_the_one_before_is_gone(applied):
    with applied.connection() as connection:
        connection.call(("HDEL", keys.history("shop"), 2))
    assert [one["changes"] is None for one in applied.json("history")] == [False, True, False]
    assert "not kept any more" in applied.ok("history", "3")


def test_a_generation_that_is_not_kept_is_refused_with_those_that_are(applied):
    result = applied.call("history", "9")
    assert result.exit_code == 1
    assert "generation 9 is not kept" in result.stderr
    assert "there are: 4, 3, 2, 1" in result.stderr
    assert json.loads(applied.call("history", "9", "--json").stdout)["error"]["code"] == "not_found"


def test_before_the_first_run_there_is_none(shop):
    assert shop.json("history") == []
    assert "pipeline run" in shop.ok("history")


def test_one_generation_and_a_comparison_of_two_exclude_each_other(applied):
    assert applied.call("history", "2", "--diff", "1", "2").exit_code == 2


@pytest.mark.security("S14")
def test_who_applied_it_cannot_steer_the_terminal(applied):
    with applied.connection() as connection:
        text = connection.call(("HGET", keys.history("shop"), 4))
        connection.call(("HSET", keys.history("shop"), 4, text.replace(b"alice", b"\\u001b[31mm")))
    for words in (["history"], ["history", "4"]):
        out = applied.ok(*words)
        assert "\x1b" not in out
        assert "\\x1b[31mm@box" in out
