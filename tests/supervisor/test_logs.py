"""What workers print, line by line."""

from __future__ import annotations

import asyncio
import io
import json
import os

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
    assert json.loads(out.getvalue()) == {"at": 5, "queue": None, "worker": "supervisor", "line": "hello"}


def test_a_reader_that_left_is_not_missed():
    out = io.StringIO()
    out.close()
    Printer(out)(Line(0, "a", "a.1", "hello"))
