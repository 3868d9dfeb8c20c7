"""How a server is, whatever the file asks for."""

from __future__ import annotations

import pytest

from pipeline.doctor.facts import Facts
from pipeline.doctor.health import look

FINE = {"redis_version": "7.4.1", "role": "master", "used_memory": "1048576"}


def wrong(info: dict[str, str], settings: dict[str, str] | None = None) -> dict[str, str]:
    """What is not ok."""
    found = look(Facts(FINE | info, settings or {}))
    return {check.name: check.verdict for check in found if check.verdict != "ok"}


@pytest.mark.parametrize(
    ("info", "verdict"),
    [
        ({"redis_version": "7.0.15"}, None),
        ({"redis_version": "6.2.14"}, "FAILED"),
        ({"redis_version": "10.0.0"}, None),
        ({"redis_version": "7.2.4", "valkey_version": "9.1.2"}, None),
        ({"redis_version": "7.2.4", "valkey_version": "7.0.0"}, "FAILED"),
        ({"redis_version": "unknown"}, "FAILED"),
    ],
)
def test_a_server_that_is_too_old_is_refused(info: dict[str, str], verdict: str | None) -> None:
    assert wrong(info).get("version") == verdict


def test_a_replica_takes_no_jobs() -> None:
    assert wrong({"role": "slave"}) == {"role": "FAILED"}


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        ("aof_last_write_status", "FAILED"),
        ("aof_last_bgrewrite_status", "WEAK"),
        ("rdb_last_bgsave_status", "WEAK"),
    ],
)
def test_a_server_that_cannot_write_is_told_of(status: str, verdict: str) -> None:
    assert wrong({status: "err"}) == {"writes": verdict}
    assert wrong({status: "ok"}) == {}


def test_a_disk_that_was_too_slow_is_told_of() -> None:
    (check,) = (one for one in look(Facts(FINE | {"aof_delayed_fsync": "3"})) if one.name == "writes")
    assert (check.verdict, "3 times its disk was too slow" in check.found) == ("ok", True)


@pytest.mark.parametrize(
    ("most", "verdict"), [("0", None), ("1310721", None), ("1310720", "WEAK"), ("1000000", "WEAK")]
)
def test_memory_is_weak_from_four_fifths_on(most: str, verdict: str | None) -> None:
    assert wrong({}, {"maxmemory": most}).get("memory") == verdict


def test_what_is_hidden_is_unverified() -> None:
    assert {check.verdict for check in look(Facts())} == {"UNVERIFIED"}
