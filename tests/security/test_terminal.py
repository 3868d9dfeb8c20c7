"""What came with a job cannot steer the terminal that shows it, nor add a line to a log."""

from __future__ import annotations

import io
import json
import logging

import pytest

from pipeline.job import KeptError, Outcome, Runs, encode
from pipeline.log import JsonFormatter
from pipeline.store.call import run_blocking
from pipeline.store.store import Move, Store
from pipeline.supervisor.logs import Line, Logs, Printer
from tests.cli.conftest import Shop, shop, turn
from tests.cli.test_run import Process

__all__ = ["shop"]

OSC = ["0;owned", "2;owned", "4;1;red", "7;file:///", "8;;http://evil", "9;note", "10;?", "11;?", "12;red", "50;font", "52;c;ZXZpbA==", "104", "133;A",
       "777;notify;a;b", "1337;File=inline=1:AA", "1337;SetMark"]  # fmt: skip
CSI = ["2J", "H", "1;1H", "?1049h", "?25l", "6n", "5n", "c", ">c", "21t", "8;99;99t", "31m", "8m", "5i", "4i", "?1000h", "?2004h", "r", "s", "u", "K", "1A",
       "10L", "@", "!p", "?1h", "20l", "0q", "18t", "?47h"]  # fmt: skip
BIDI = b"\\u200e\\u200f\\u061c\\u202a\\u202b\\u202c\\u202d\\u202e\\u2066\\u2067\\u2068\\u2069".decode(
    "unicode_escape"
)
SEQUENCES = [
    *(f"\x1b]{code}{end}" for code in OSC for end in ("\x07", "\x1b\\")),
    *(f"\x1b[{code}" for code in CSI),
    *(f"\x9b{code}" for code in ("2J", "31m", "?1049h", "6n")),
    *(f"\x9d{code}\x9c" for code in ("0;owned", "52;c;ZXZpbA==", "8;;http://evil")),
    *(f"\x1bP{code}\x1b\\" for code in ('$q"p', "+q544e", "1$r", "q#0")), "\x90q\x9c", "\x1b_x\x1b\\", "\x1b^x\x1b\\", "\x1bXx\x1b\\",
    *(f"\x1b{code}" for code in ("c", "7", "8", "D", "E", "M", "H", "#8", "(0", ")B", "=", ">", "N", "O", "Z", "%G", "\x1b[2J")),
    *"\x00\x01\x07\x08\x0b\x0c\x0e\x0f\x11\x13\x1a\x7f\x84\x85\x8d\x9a", *BIDI, "\r", "a\rb", "\u2028", "\u2029", "a\x08\x08b",
]  # fmt: skip
FORBIDDEN = {*map(chr, [*range(9), *range(11, 32), *range(127, 160)]), *BIDI, "\u2028", "\u2029"}
OURS = "\x1b\r"
"""What a terminal gets from us: colors and the ends of lines."""


def bury(shop: Shop, text: str, number: int) -> None:
    """A dead job that says it everywhere."""
    store = Store("shop", "emails")
    error = KeptError(1, 10, text, f"{text}!", f"Traceback {text}")
    shop.ok("enqueue", "emails", "x", json.dumps({text: text}))
    with shop.connection() as connection:
        run_blocking(connection, store.join("w", 60_000))
        taken = connection.call(turn(store, "w", 2 * number, want=1))
        outcome = encode(Outcome(1, 5, 10, None, error))
        move = Move("dead", taken[4][0], taken[3], runs=encode(Runs(1, 0, (error,))), outcome=outcome)
        connection.call(turn(store, "w", 2 * number + 1, moves=[move]))


@pytest.fixture
def morgue(shop: Shop) -> Shop:
    for number, text in enumerate(SEQUENCES, 1):
        bury(shop, text, number)
    return shop


LISTS = (["jobs", "list", "emails", "--limit", "500"], ["dead", "list", "emails", "--limit", "500"], ["dead", "groups", "emails"],
         ["jobs", "search", "emails", "--state", "dead"], ["status"])  # fmt: skip


@pytest.mark.security("S14", inputs=len(SEQUENCES) * (len(LISTS) + 2))
def test_no_command_prints_a_sequence_as_it_is(morgue: Shop) -> None:
    shown = [["jobs", "show", "emails", str(n)] for n in range(1, len(SEQUENCES) + 1)]
    for words in (*LISTS, *shown, *(["dead", *words[1:]] for words in shown)):
        out = morgue.call(*words)
        assert out.stdout
        assert not FORBIDDEN & set(out.output), words


@pytest.mark.security("S14", inputs=len(SEQUENCES) * len(LISTS))
def test_no_terminal_gets_one(morgue: Shop) -> None:
    for words in LISTS:
        process = Process(morgue, tuple(words), terminal=True)
        assert process.ends() in (0, 1)
        process.close()
        assert not (FORBIDDEN - set(OURS)) & set(process.output)
        for text in SEQUENCES:
            assert "\x1b" not in text or f"{text}: " not in process.output, (words, text)


# --- logs -----------------------------------------------------------------------------------------------

LINES = [
    "a\nb",
    "a\r\nb",
    "a\n\nb",
    "\n",
    "a\x0bb",
    "a\x0cb",
    "a\x1cb",
    "a\x1db",
    "a\x1eb",
    "a\x85b",
    "a\u2028b",
    "a\u2029b",
    'a\n{"at":1}',
    *SEQUENCES,
]


@pytest.mark.security("S13", inputs=2 * len(LINES))
def test_one_event_is_one_line_whatever_it_says() -> None:
    out = io.StringIO()
    for json_lines in (False, True):
        logs = Logs(Printer(out, json=json_lines), json=json_lines)
        for text in LINES:
            record = logging.LogRecord("x", logging.INFO, "f", 1, "%s", (text,), None)
            logs.say_for("q", "w.1", JsonFormatter().format(record))
    written = out.getvalue()
    assert len(written.splitlines()) == written.count("\n") == 2 * len(LINES)
    assert not FORBIDDEN & set(written)


@pytest.mark.security("S13", inputs=len(LINES))
def test_what_a_worker_prints_by_itself_is_so_many_lines_and_cannot_pass_for_others() -> None:
    lines: list[Line] = []
    logs = Logs(lines.append)
    for text in LINES:
        logs.say_for("q", "w.1", text)
    assert len(lines) == len(LINES)
    assert not (FORBIDDEN - {"\n"}) & {character for line in lines for character in line.line}
