"""Webhooks on the command line, where no web process runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Shop

HOOKS = """\
secrets: {s: {env: HOOK_SECRET}}
webhooks:
  stripe: {path: /hooks/stripe, verify: {type: stripe, secret: {secret: s}}, queue: payments, job: capture}
  github: {path: /hooks/github, verify: {type: github, secret: {secret: s}}, queue: emails, job: "{header.X-Event}"}
"""


@pytest.fixture
def hooked(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setenv("HOOK_SECRET", "a secret that nobody guesses")
    shop.file.write_text(shop.file.read_text() + HOOKS)
    return shop


def test_each_webhook_is_listed_with_who_may_send_it_and_what_it_becomes(hooked: Shop) -> None:
    out = hooked.ok("webhooks", "list")
    assert "POST /hooks/stripe" in out
    assert "payments capture, from stripe, known by {body.id}" in out
    assert "known by {header.x-github-delivery}, and what was signed" in out
    assert "nothing serves them here: start pipeline run" in out
    listed = json.loads(hooked.ok("webhooks", "list", "--json"))
    assert [(one["name"], one["url"], one["queue"]) for one in listed] == [
        ("stripe", None, "payments"), ("github", None, "emails"),
    ]  # fmt: skip


def test_a_secret_that_is_not_set_or_too_short_is_told_and_not_shown(
    hooked: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK_SECRET", "hunter2")
    assert "the secret s cannot be used: it has 7 bytes" in hooked.call("webhooks", "list").output
    monkeypatch.delenv("HOOK_SECRET")
    out = hooked.ok("webhooks", "list")
    assert "the secret s is not set here" in out
    assert "hunter2" not in out


def test_nothing_is_sent_where_nothing_serves(hooked: Shop) -> None:
    result = hooked.call("webhooks", "send", "stripe", "--json")
    assert (result.exit_code, json.loads(result.stdout)["error"]["code"]) == (1, "not_running")
    result = hooked.call("webhooks", "send", "stripe", "--to", "http://127.0.0.1:1", "--json")
    assert (result.exit_code, json.loads(result.stdout)["error"]["code"]) == (1, "not_running")


def test_an_unknown_webhook_is_answered_with_the_near_one(hooked: Shop) -> None:
    result = hooked.call("webhooks", "send", "strype")
    assert (result.exit_code, "did you mean 'stripe'?" in result.stderr) == (1, True)


def test_a_header_that_is_none_is_a_mistake_of_the_command(hooked: Shop, tmp_path: Path) -> None:
    body = tmp_path / "body.json"
    body.write_text("{}")
    words = (
        "webhooks",
        "send",
        "stripe",
        "--to",
        "http://127.0.0.1:1",
        "--body",
        body,
        "--header",
        "X-Event",
    )
    assert hooked.call(*words).exit_code == 2


def test_the_webhooks_of_a_file_are_part_of_its_effective_config(hooked: Shop) -> None:
    out = hooked.ok("config", "show")
    assert 'path: "/hooks/stripe"' in out
    assert "secret: s" in out
    assert "nobody guesses" not in out


def test_a_key_of_a_webhook_is_explained(hooked: Shop) -> None:
    assert 'example  signed: "{timestamp}.{body}"' in hooked.ok("explain", "webhooks.*.verify.signed")
    assert "fewer than 16 bytes" in hooked.ok("explain", "P370")
