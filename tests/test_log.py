"""Log lines as JSON: one object a line, of which job, and never too long for who reads them."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest

from pipeline.current import facts_of, remembered
from pipeline.job import Job
from pipeline.log import JsonFormatter, cut
from pipeline.supervisor.logs import LINE_BYTES

NOBODY = {"queue": None, "job": None, "id": None, "attempt": None, "ids": None}
OF_17 = {"queue": "emails", "job": "send", "id": "17", "attempt": 2, "ids": None}


def job(id: str = "17") -> Job[Any]:
    return Job(0, "send", None, id=id, queue="emails", attempt=2)


def written(message: str, error: BaseException | None = None, about: Any = None) -> dict[str, Any]:
    info = (type(error), error, error.__traceback__) if error is not None else None
    record = logging.LogRecord("shop.mail", logging.WARNING, "f", 1, message, (), info)
    if about is not None:
        record.about = about
    line = JsonFormatter().format(record)
    assert len(line.encode()) <= LINE_BYTES
    assert "\n" not in line
    found: dict[str, Any] = json.loads(line)
    return found


def test_a_line_has_its_level_logger_and_message_and_no_job_where_none_runs() -> None:
    line = written("a\nb")
    assert isinstance(line.pop("at"), int)
    assert line == {
        "level": "warning", "logger": "shop.mail", "message": "a\nb", "traceback": None, **NOBODY,
    }  # fmt: skip


def test_a_plain_handler_and_what_it_calls_know_their_job() -> None:
    seen = []
    remembered(lambda _: seen.append(written("hello")), is_async=False)(job())
    assert seen[0].items() >= OF_17.items()
    assert facts_of() == NOBODY


async def test_tasks_that_a_handler_begins_know_its_job_and_neighbours_do_not() -> None:
    async def handler(given: Job[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        await asyncio.sleep(0)
        child = asyncio.create_task(asyncio.to_thread(facts_of))
        await asyncio.sleep(0)
        return facts_of(), await child

    call = remembered(handler, is_async=True)
    found = await asyncio.gather(call(job("1")), call(job("2")))
    assert [[facts["id"] for facts in both] for both in found] == [["1", "1"], ["2", "2"]]
    assert facts_of() == NOBODY


def test_a_handler_of_batches_has_the_ids_of_all() -> None:
    found = remembered(lambda _: facts_of(), is_async=False)([job("1"), job("2")])
    assert found == {"queue": "emails", "job": "send", "id": None, "attempt": None, "ids": ["1", "2"]}


def test_what_a_handler_raises_goes_through_and_its_job_is_forgotten() -> None:
    def fails(_: Job[Any]) -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        remembered(fails, is_async=False)(job())
    assert facts_of() == NOBODY


def test_a_line_may_say_itself_which_job_it_is_about() -> None:
    assert written("is dead", about=job()).items() >= OF_17.items()


def test_a_long_message_keeps_its_beginning_and_a_long_traceback_its_end() -> None:
    line = written("é" * 5_000, ValueError("é" * 5_000 + "!"))
    assert line["message"].endswith("…")
    assert line["traceback"].startswith("…")
    assert line["traceback"].endswith("!")


def test_a_cut_never_leaves_half_a_character() -> None:
    assert cut("éé", 3) == "é…"
    assert cut("éé", 3, end=True) == "…é"
    assert cut("éé", 4) == "éé"
    assert cut("a\udcff", 9) == "a\\udcff"
