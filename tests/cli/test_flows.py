"""`pipeline flows`: what is begun, listed, shown, stopped and resumed."""

from __future__ import annotations

from typing import Any

from pipeline.config.load import require
from pipeline.store.call import run_blocking
from pipeline.store.flows import FlowStore, ended_error

Shop = Any
FLOWS = """
flows:
  order:
    steps:
      mail: {queue: emails, job: welcome}
      pay: {queue: payments, job: capture, needs: [mail], for_each: "{data.items}"}
"""


def declared(shop: Shop) -> None:
    """A file with a flow."""
    shop.file.write_text(shop.file.read_text() + FLOWS)
    shop.publish()


def fail(shop: Shop, id: str) -> None:
    """The first step of a flow dies."""
    told: list[str | bytes] = ["mail", b"f" + ended_error("ValueError", "no\x1b[31m way")]
    with shop.connection() as connection:
        run_blocking(connection, FlowStore("shop", "order").tell(id, "w", "mail", 1, told))


def test_a_flow_is_begun_once_with_an_id(shop: Shop) -> None:
    declared(shop)
    assert shop.ok("flows", "start", "order", '{"items": [1]}', "--id", "one") == "order:one  created\n"
    assert shop.json("flows", "start", "order", "--id", "one") == {"id": "order:one", "status": "duplicate"}
    assert shop.json("jobs", "show", "emails", "order:one:mail")["data"] == {"items": [1]}


def test_a_flow_is_shown_with_its_steps(shop: Shop) -> None:
    declared(shop)
    shop.ok("flows", "start", "order", '{"items": [1, 2]}', "--id", "one")
    told = shop.json("flows", "show", "order:one")
    assert (told["id"], told["flow"], told["state"], told["finished_at"]) == (
        "order:one",
        "order",
        "running",
        None,
    )
    assert [(step["name"], step["state"]) for step in told["steps"]] == [
        ("mail", "running"),
        ("pay", "blocked"),
    ]
    fail(shop, "order:one")
    shown = shop.ok("flows", "show", "order:one")
    assert "mail  failed" in shown
    assert "pay   skipped" in shown
    assert "no way" in shown.replace("\\x1b[31m", "")
    assert "pipeline flows retry order:one" in shown
    assert "\x1b" not in shown


def test_flows_are_listed_by_state_the_newest_first(shop: Shop) -> None:
    declared(shop)
    assert shop.ok("flows", "list") == "no such flow is kept\n"
    for id in ("one", "two", "three"):
        shop.ok("flows", "start", "order", "--id", id)
    fail(shop, "order:two")
    assert [one["id"] for one in shop.json("flows", "list")][-1] == "order:two"
    assert [one["id"] for one in shop.json("flows", "list", "order", "--state", "failed")] == ["order:two"]
    assert len(shop.json("flows", "list", "--limit", "2")) == 2
    assert "order:one" in shop.ok("flows", "list")


def test_a_flow_is_cancelled_and_resumed(shop: Shop) -> None:
    declared(shop)
    shop.ok("flows", "start", "order", "--id", "one")
    assert shop.ok("flows", "cancel", "order:one") == "order:one  cancelled\n"
    assert shop.json("jobs", "show", "emails", "order:one:mail")["state"] == "cancelled"
    assert shop.json("flows", "retry", "order:one") == {"id": "order:one", "state": "running"}
    assert shop.json("jobs", "show", "emails", "order:one:mail:r2")["state"] == "waiting"


def test_what_cannot_be_is_refused_with_a_way_out(shop: Shop) -> None:
    declared(shop)
    for words in (
        ["flows", "show", "order:none"],
        ["flows", "cancel", "nothing"],
        ["flows", "start", "ordr"],
    ):
        result = shop.call(*words)
        assert result.exit_code == 1
        assert "help:" in result.output
    assert require(shop.file).flows["order"].steps["pay"].needs == ("mail",)


def test_status_has_the_figures_of_flows(shop: Shop) -> None:
    declared(shop)
    shop.ok("flows", "start", "order")
    told = shop.call("status", "--json").stdout
    assert '"flows":{"order":{"open":1,"started_total":1,' in told.replace(" ", "").replace("\n", "")
