"""What workers print, line by line."""

from __future__ import annotations

import asyncio
import io
import json
import os

import pytest

from pipeline.supervisor.logs import LINE_BYTES, Line, Logs, Printer, harmless


async def printed(*chunks: bytes) -> list[str]:
    """The lines that come of these bytes in a pipe."""
    lines: list[Line] = []
    reader, writer = os.pipe()
    tap = Logs(lines.append).follow(reader, "a", "a.1")
    for chunk in chunks:
        os.write(writer, chunk)
        await asyncio.sleep(0)
    os.close(writer)
    tap.close()
    return [line.line for line in lines]


async def test_lines_are_whole_however_they_arrive():
    assert await printed(b"one\ntw", b"o\r\nthree") == ["one", "two", "three"]


async def test_a_line_without_end_is_cut():
    lines = await printed(b"x" * 3 * LINE_BYTES + b"\n")
    assert "".join(lines).replace(" …", "").strip("x") == ""
    assert all(len(line) <= LINE_BYTES + 2 for line in lines)


async def test_what_could_steer_a_terminal_is_made_visible():
    assert await printed(b"\x1b[2Jred\x07\n") == ["\\x1b[2Jred\\x07"]
    assert harmless("a\u202eb\ttab\x9b") == "a\\u202eb\ttab\\x9b"


async def test_bytes_that_are_no_text_do_no_harm():
    assert await printed(b"\xff\xfe\n") == ["\ufffd\ufffd"]


def test_lines_for_people_have_a_time_and_a_padded_name():
    out = io.StringIO()
    Printer(out)(Line(0, "a", "a.1", "hello"))
    clock, _, rest = out.getvalue().partition(" ")
    assert (len(clock), rest) == (8, "a.1        | hello\n")


def test_lines_for_programs_are_json():
    out = io.StringIO()
    Printer(out, json=True)(Line(5, None, "supervisor", "hello"))
    told = json.loads(out.getvalue())
    assert {name: value for name, value in told.items() if value is not None} == {
        "at": 5, "worker": "supervisor", "line": "hello",
    }  # fmt: skip
    assert told.keys() == set(Line.__struct_fields__)


def told(text: str, *, json: bool = True) -> Line:
    """How a line of a worker is shown."""
    lines: list[Line] = []
    Logs(lines.append, json=json, secrets=["hunter2"]).say_for("a", "a.1", text)
    return lines[0]


LOGGED = {
    "at": 5, "level": "error", "logger": "shop", "message": "hunter2\x1b[2J", "traceback": "Trace: hunter2",
    "queue": "b", "job": "send", "id": "17", "attempt": 2, "ids": None,
}  # fmt: skip


def test_what_a_worker_logged_as_json_is_told_field_by_field_and_clean():
    assert told(json.dumps(LOGGED)) == Line(
        5, "b", "a.1", "***\\x1b[2J", "error", "shop", "send", "17", 2, None, "Trace: ***"
    )


@pytest.mark.parametrize("text", ['{"at": 5}', '{"at":5}', '{"at":"x"}', '{"at":5', "[]"])
def test_any_other_json_that_a_handler_prints_is_text(text):
    assert told(text).line == text
    assert told(text).level is None


def test_lines_for_people_are_not_taken_apart():
    assert told(json.dumps(LOGGED), json=False).line.startswith("{")


def test_a_reader_that_left_is_not_missed():
    out = io.StringIO()
    out.close()
    Printer(out)(Line(0, "a", "a.1", "hello"))
