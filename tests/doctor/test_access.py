"""Who may speak to the server, and whether we may do there what is needed."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from pipeline.broker import parse
from pipeline.doctor.access import network, rights
from pipeline.store.connect import connect
from pipeline.store.wire import Connection
from tests.acl import as_admin


@pytest.mark.parametrize(
    ("url", "weak"),
    [
        ("unix:///run/redis.sock", []),
        ("redis://localhost", []),
        ("redis://127.0.0.9", []),
        ("redis://[::1]:6379", []),
        ("redis://queue", ["password", "tls"]),
        ("redis://10.0.0.1", ["password", "tls"]),
        ("redis://:secret@queue", ["tls"]),
        ("rediss://queue", ["password"]),
        ("rediss://ann:secret@queue", []),
    ],
)
def test_a_server_that_others_can_reach_has_a_password_and_tls(url: str, weak: list[str]) -> None:
    checks = list(network(parse(url)))
    assert [check.name for check in checks if check.verdict == "WEAK"] == weak
    assert "secret" not in str(checks)


@pytest.fixture
async def admin(broker: str) -> AsyncIterator[Connection]:
    connection = await connect(parse(as_admin(broker)))
    yield connection
    await connection.call(("ACL", "DELUSER", "shy"))
    connection.close()


async def told(admin: Connection, broker: str, *rules: str) -> tuple[str, str]:
    """What is said of a user with these rules: the verdict and all else."""
    await admin.call(("ACL", "SETUSER", "shy", "reset", "on", ">secret", *rules))
    shy = await connect(replace(parse(broker), username="shy", password="secret"))
    check = await rights(shy, "shop", "cluster")
    shy.close()
    return check.verdict, f"{check.sentence} {check.help}"


async def test_a_user_with_all_rights_may_do_what_is_needed(admin: Connection, broker: str) -> None:
    assert (await told(admin, broker, "~*", "+@all"))[0] == "ok"


async def test_the_keys_of_the_project_are_enough(admin: Connection, broker: str) -> None:
    assert (await told(admin, broker, "~{shop}*", "~{shop:*", "+@all"))[0] == "ok"


async def test_commands_that_scripts_need_are_named_when_they_are_missing(
    admin: Connection, broker: str
) -> None:
    verdict, text = await told(admin, broker, "~*", "+@all", "-blmpop", "-hdel")
    assert verdict == "FAILED"
    assert "may not run BLMPOP, HDEL" in text
    assert "ACL SETUSER shy +blmpop +hdel" in text


async def test_a_cluster_must_tell_which_node_has_what(admin: Connection, broker: str) -> None:
    verdict, text = await told(admin, broker, "~*", "+@all", "-cluster")
    assert (verdict, "ACL SETUSER shy +cluster|slots" in text) == ("FAILED", True)


@pytest.mark.parametrize("keys", ["~other*", "~{shop:*", "~{shop}*"])
async def test_keys_that_are_missing_are_named(admin: Connection, broker: str, keys: str) -> None:
    verdict, text = await told(admin, broker, keys, "+@all")
    assert (verdict, "~{shop}* ~{shop:*" in text) == ("FAILED", True)


@pytest.mark.parametrize("hidden", ["-acl", "-acl|dryrun", "-command"])
async def test_rights_that_cannot_be_asked_for_are_unverified(
    admin: Connection, broker: str, hidden: str
) -> None:
    assert (await told(admin, broker, "~*", "+@all", hidden))[0] == "UNVERIFIED"
