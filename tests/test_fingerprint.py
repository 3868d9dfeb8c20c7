"""Failures that have the same cause have the same fingerprint, and others do not."""

from __future__ import annotations

import time

import pytest

from pipeline.fingerprint import fingerprint, normalised, top_frame
from pipeline.worker.attempt import describe

HEAD = "Traceback (most recent call last):\n"
OURS = '  File "/srv/env/lib/python3.12/site-packages/pipeline/worker/slots.py", line 70, in _call\n    x()\n'
CAPTURE = '  File "/srv/shop/releases/17/handlers/payments.py", line 31, in capture\n    pay()\n'
LIBRARY = '  File "/srv/env/lib/python3.12/site-packages/httpx/_client.py", line 900, in send\n    raise\n'
STANDARD = '  File "/usr/lib/python3.12/json/decoder.py", line 355, in raw_decode\n    raise\n'


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("order 17 of 3", "order 18 of 4"),
        ("no file '/tmp/a'", "no file '/tmp/b c'"),
        ('key "x"', 'key "y"'),
        ("id 6f9619ff-8b86-d011-b42d-00c04fc964ff", "id 0f9619ff-8b86-d011-b42d-00c04fc964f0"),
        ("at 0x7f3c1a2b", "at 0x0000dead"),
        ("commit d6438af1", "commit 1a2b3c4d"),
        ("after 1.5 s at 12:30:01", "after 20.25 s at 09:00:59"),
        ("no\nsecond line", "no\nother line"),
    ],
)
def test_messages_that_differ_in_particulars_are_alike(one: str, other: str) -> None:
    assert normalised(one) == normalised(other) != ""


@pytest.mark.parametrize(
    ("one", "other"),
    [("declined", "timed out"), ("can't open it", "can't close it"), ("feedbeef", "deadbeef")],
)
def test_messages_in_other_words_are_not(one: str, other: str) -> None:
    assert normalised(one) != normalised(other)


@pytest.mark.parametrize(
    ("frames", "where"),
    [
        (OURS + CAPTURE, "handlers/payments.py:capture"),
        (OURS + CAPTURE + LIBRARY, "handlers/payments.py:capture"),
        (OURS + CAPTURE + STANDARD, "handlers/payments.py:capture"),
        (OURS + LIBRARY, "httpx/_client.py:send"),
        ("", ""),
    ],
)
def test_the_top_frame_is_the_last_one_of_the_users_code(frames: str, where: str) -> None:
    assert top_frame(HEAD + frames + "ValueError: no\n") == where


def test_of_errors_that_led_to_one_another_the_last_one_counts() -> None:
    first = HEAD + '  File "/srv/shop/handlers/a.py", line 1, in first\n    x\nKeyError: 1\n\n'
    text = first + "During handling of the above exception, another exception occurred:\n\n" + HEAD + CAPTURE
    assert top_frame(text) == "handlers/payments.py:capture"


def test_an_edit_above_the_place_changes_nothing_and_another_function_does() -> None:
    one = fingerprint("ValueError", "no 1", HEAD + CAPTURE)
    assert one == fingerprint("ValueError", "no 2", HEAD + CAPTURE.replace("31", "99"))
    assert one.id != fingerprint("ValueError", "no 1", HEAD + CAPTURE.replace("capture", "refund")).id
    assert one.id != fingerprint("KeyError", "no 1", HEAD + CAPTURE).id


def test_a_real_exception_is_found_where_it_was_raised() -> None:
    def raises() -> None:
        raise ValueError("no 7")

    try:
        raises()
    except ValueError as error:
        told = describe(error)
    assert fingerprint(told.type, told.message, told.traceback).where == "tests/test_fingerprint.py:raises"


@pytest.mark.parametrize(
    "hostile", ["'" * 4096, '"' * 4096, "a" * 4096, "0" * 4096, "f-" * 2048, "'a" * 2048]
)
def test_no_message_takes_long(hostile: str) -> None:
    begun = time.perf_counter()
    fingerprint("E", hostile, f'  File "{hostile}", line 1, in x\n' * 8)
    assert time.perf_counter() - begun < 0.1
