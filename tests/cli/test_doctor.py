"""`pipeline doctor`: a row a check, for people and for programs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.acl import by_admin
from tests.pair import Pair, Server, eventually

Shop = Any
ROW = {"name", "verdict", "found", "meaning", "help"}


def use(shop: Shop, url: str, durability: str = "everysec") -> None:
    """Let the project have another broker."""
    shop.file.write_text(
        f"name: shop\nbroker: {{url: '{url}', durability: {durability}}}\nqueues: {{emails: {{handler: null}}}}\n"
    )


def examined(shop: Shop) -> tuple[int, dict[str, Any], dict[str, str]]:
    """The exit code, what is told, and the verdict of each check."""
    result = shop.call("doctor", "--json")
    told = json.loads(result.stdout)
    return result.exit_code, told, {check["name"]: check["verdict"] for check in told["checks"]}


def test_a_broker_that_can_lose_jobs_is_weak_and_says_what_to_do(shop: Shop) -> None:
    result = shop.call("doctor")
    assert result.exit_code == 1
    assert "appendonly no: durability is everysec in the file, but a crash" in result.stdout
    assert "CONFIG SET appendonly yes" in result.stdout
    assert "loss" in result.stdout


def test_programs_get_every_check_with_all_of_its_fields(shop: Shop) -> None:
    code, told, verdicts = examined(shop)
    assert (code, told["ok"], verdicts["file"]) == (1, False, "WEAK")
    assert all(set(check) == ROW for check in told["checks"])
    assert [check["help"] for check in told["checks"] if check["name"] == "reachable"] == [None]
    assert "every job since its last snapshot" in told["loss"]
    assert {
        "reachable", "round-trip", "clock", "version", "eviction", "file", "memory", "writes", "network", "rights",
        "connections", "open-files", "payloads",
    } <= set(verdicts)  # fmt: skip


def test_an_embedded_broker_that_does_not_run_is_started_meanwhile(shop: Shop) -> None:
    use(shop, "embedded")
    code, told, verdicts = examined(shop)
    assert (code, told["ok"], set(verdicts.values())) == (0, True, {"ok"})
    assert verdicts["disk"] == "ok"
    assert not (shop.root / ".pipeline" / "broker.sock").exists()


def test_a_broker_that_is_away_is_an_error_with_its_own_exit_code(shop: Shop) -> None:
    use(shop, "redis://127.0.0.1:1")
    result = shop.call("doctor", "--json")
    assert (result.exit_code, json.loads(result.stdout)["error"]["code"]) == (69, "broker_unavailable")


def test_replicas_are_counted_and_their_absence_is_weak(shop: Shop) -> None:
    pair = Pair()
    try:
        use(shop, pair.primary.url, "{replicas: 1}")
        code, _, verdicts = examined(shop)
        assert (code, verdicts["replicas"], verdicts["min-replicas"]) == (1, "ok", "WEAK")
        pair.primary.call("CONFIG", "SET", "min-replicas-to-write", "1")
        code, told, verdicts = examined(shop)
        assert (code, told["ok"]) == (0, True)
        pair.replica.process.kill()
        eventually(lambda: pair.primary.about("connected_slaves") == "0", "the replica is missed")
        code, _, verdicts = examined(shop)
        assert (code, verdicts["replicas"]) == (1, "WEAK")
    finally:
        pair.end()


@pytest.mark.parametrize("hidden", ["-config", "-@dangerous"])
def test_what_a_broker_hides_is_unverified_and_no_error(shop: Shop, hidden: str) -> None:
    by_admin(shop.url, "ACL", "SETUSER", "shy", "on", ">secret", "~*", "+@all", hidden, "+info")
    by_admin(shop.url, "CONFIG", "SET", "appendonly", "yes")
    try:
        use(shop, shop.url.replace("unix://", "unix://shy:secret@"))
        code, told, verdicts = examined(shop)
        assert (code, told["ok"], verdicts["fsync"]) == (0, True, "UNVERIFIED")
        assert "UNVERIFIED" in told["loss"]
    finally:
        by_admin(shop.url, "ACL", "DELUSER", "shy")
        by_admin(shop.url, "CONFIG", "SET", "appendonly", "no")


def test_a_broker_that_stands_still_is_away(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.doctor.facts.PATIENCE", 0.2)
    server = Server()
    try:
        eventually(server.answers, "it answers")
        use(shop, server.url)
        server.freeze()
        result = shop.call("doctor")
        assert result.exit_code == 69
        assert "has not answered" in result.stderr
    finally:
        server.thaw()
        server.end()
