"""`pipeline explain` tells what a finding or a key means, and what holds in the file."""

from __future__ import annotations

import re
from typing import Any

Shop = Any


def test_a_key_is_explained_without_a_file(shop: Shop) -> None:
    out = shop.ok("explain", "supervisor.reload.interval")
    for line in (
        "How often the files are looked at.",
        "takes    a duration from 100ms to 1h",
        "default  2s",
        "change   hot: running workers take it over between two jobs",
        "example  interval: 5s",
    ):
        assert line in out


def test_a_block_lists_its_keys(shop: Shop) -> None:
    assert "keys     type, delay, max, jitter, delays" in shop.ok("explain", "queues.*.retry.backoff")


def test_what_holds_in_the_file_is_shown_with_its_place(shop: Shop) -> None:
    out = shop.ok("explain", "queues.emails.retry")
    assert re.search(rf"attempts: 3 +# {re.escape(str(shop.file))}:10\n", out)
    assert "10s, 10s: dead after 20s at the latest, and what the attempts take" in out
    assert "one attempt: dead when it fails" not in out


def test_names_with_dots_and_jobs_have_their_own_policies(shop: Shop) -> None:
    shop.file.write_text(
        "name: shop\nqueues:\n  mails.eu:\n    handler: null\n"
        "    jobs: {a: {retry: {attempts: 2, backoff: {type: fixed, delay: 3s}}}}\n"
    )
    assert "3s: dead after 3s at the latest" in shop.ok("explain", "queues.mails.eu.jobs.a.retry")
    assert "timeout: 10m  # built-in" in shop.ok("explain", "queues.mails.eu.timeout")


def test_a_path_that_is_not_there_has_a_near_one(shop: Shop) -> None:
    result = shop.call("explain", "queues.emails.retrry")
    assert (result.exit_code, "did you mean queues.emails.retry?" in result.stderr) == (1, True)
    assert "has no queues.email: did you mean 'emails'?" in shop.ok("explain", "queues.email.retry")


def test_a_file_with_mistakes_does_not_hide_the_key(shop: Shop) -> None:
    shop.file.write_text("name: shop\n")
    assert "has mistakes: see `pipeline validate" in shop.ok("explain", "queues.emails.retry")
