"""What alerts say."""

from __future__ import annotations

import json
from typing import Any

from pipeline.alerts import message
from pipeline.alerts.deliver import address_of, deliver
from pipeline.alerts.message import Origin, again, body
from pipeline.plan import AlertPlan
from pipeline.store.groups import Dead, grouped
from tests.alerts.receiver import receiving

ORIGIN = Origin("shop", "host-1", 1_000)
DEAD = [Dead(str(n), n, "CardDeclined", f"card {n} declined", "") for n in range(1, 4)] + [
    Dead("9", 9, "E", "", "")
]


def told(said: message.Message, **more: Any) -> Any:
    return json.loads(body(said, "json", **more))


def test_deaths_are_told_with_their_number_their_kinds_and_what_to_look_at() -> None:
    said = told(message.died(ORIGIN, "payments", 40, grouped(DEAD)))
    assert said["text"].splitlines() == [
        "shop: 40 jobs of payments died",
        "3 x CardDeclined: card <n> declined",
        "1 x E",
        "one of them: pipeline dead show payments 3",
    ]
    assert (said["event"], said["subject"], said["count"]) == ("dead", "payments", 40)
    assert said["groups"][0]["sample"] == "3"


def test_the_other_alerts_are_a_sentence_each() -> None:
    assert told(message.full(ORIGIN, "a", 90, 100))["text"].startswith(
        "shop: a keeps 90 dead jobs of at most 100: beyond that the oldest are deleted"
    )
    assert "the oldest are deleted now" in message.full(ORIGIN, "a", 100, 100).text
    assert message.waits(ORIGIN, "a", 661_500, 600_000).text.startswith(
        "shop: a job of a has waited for 11m1s, longer than 10m"
    )
    assert (
        message.fatal(ORIGIN, "a", "cannot start\ntrace").text
        == "shop: pool a on host-1 is FATAL: cannot start"
    )
    assert again(message.rejected(ORIGIN, 3, "x"), 4).text.endswith(
        "goes on: x\n4 times since the last alert"
    )


def test_slack_gets_text_that_calls_nobody() -> None:
    said = ORIGIN.says("test", "<!channel> a & b\x1b[31m")
    assert json.loads(body(said, "slack")) == {"text": "shop: &lt;!channel&gt; a &amp; b?[31m"}


def test_no_secret_is_sent_along() -> None:
    said = ORIGIN.says("test", 'the address is https://x/T0"B0')
    assert told(said, secrets=('https://x/T0"B0',))["text"] == "shop: the address is ***"


def test_a_secret_is_read_when_it_is_needed(tmp_path: Any, monkeypatch: Any) -> None:
    with receiving() as receiver:
        (tmp_path / "slack").write_text(receiver.url + "\n")
        by_file = AlertPlan(secret="slack", file="slack", format="slack")
        deliver("oncall", by_file, ORIGIN.says("test", receiver.url), str(tmp_path))
        assert receiver.bodies == [{"text": "shop: ***"}]
        monkeypatch.setenv("SLACK", receiver.url)
        assert address_of(AlertPlan(secret="slack", env="SLACK"), "/") == receiver.url
