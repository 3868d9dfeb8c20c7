"""What a server's settings can lose, against what the file asks for."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.doctor.durability import compare, confirm, durability, loss
from pipeline.doctor.facts import Facts
from pipeline.plan import BrokerPlan
from pipeline.store.confirm import Confirm

EVERYSEC, FSYNC, REPLICAS = (BrokerPlan("redis://queue", one) for one in ("everysec", "fsync", 2))
SETTINGS = {
    "appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction", "min-replicas-to-write": "2",
}  # fmt: skip
PRIMARY = {"role": "master", "slave0": "ip=a,state=online", "slave1": "ip=b,state=online,lag=0"}


def facts(info: dict[str, str] | None = None, *, waits: bool = True, **settings: str) -> Facts:
    return Facts(
        PRIMARY | (info or {}),
        SETTINGS | {name.replace("_", "-"): one for name, one in settings.items()},
        waits,
    )


def verdicts(found: Facts, wanted: BrokerPlan) -> dict[str, str]:
    """What is not ok."""
    return {check.name: check.verdict for check in compare(found, wanted) if check.verdict != "ok"}


TABLE: list[tuple[BrokerPlan, Facts, dict[str, str], Confirm | None, str]] = [
    (EVERYSEC, facts(), {}, None, "everysec"),
    (EVERYSEC, facts(appendfsync="always"), {}, None, "fsync"),
    (EVERYSEC, facts(appendfsync="no"), {"fsync": "WEAK"}, None, "none"),
    (EVERYSEC, facts(appendonly="no"), {"file": "WEAK"}, None, "none"),
    (EVERYSEC, facts(min_replicas_to_write="0"), {"min-replicas": "WEAK"}, None, "everysec"),
    (EVERYSEC, facts({"cluster_enabled": "1"}, min_replicas_to_write="0"), {}, None, "everysec"),
    (FSYNC, facts(appendfsync="always", waits=False), {}, None, "fsync"),
    (FSYNC, facts(), {}, Confirm(), "fsync"),
    (FSYNC, facts(waits=False), {"fsync": "WEAK"}, None, "everysec"),
    (FSYNC, facts(appendonly="no"), {"file": "WEAK"}, None, "none"),
    (REPLICAS, facts(), {}, Confirm(2), "replicas: 2"),
    (REPLICAS, facts(min_replicas_to_write="1"), {"min-replicas": "WEAK"}, Confirm(2), "replicas: 2"),
    (REPLICAS, facts({"slave1": "ip=b,state=wait_bgsave"}), {"replicas": "WEAK"}, Confirm(2), "everysec"),
    (REPLICAS, facts({"slave1": "ip=b,state=online,lag=10"}), {}, Confirm(2), "replicas: 2"),
    (REPLICAS, facts({"slave1": "ip=b,state=online,lag=11"}), {"replicas": "WEAK"}, Confirm(2), "everysec"),
    (REPLICAS, facts(appendonly="no"), {"file": "WEAK"}, Confirm(2), "replicas: 2"),
]  # fmt: skip


@pytest.mark.parametrize(("wanted", "found", "wrong", "waits_for", "word"), TABLE)
def test_settings_are_judged_against_what_the_file_asks_for(
    wanted: BrokerPlan, found: Facts, wrong: dict[str, str], waits_for: Confirm | None, word: str
) -> None:
    assert verdicts(found, wanted) == wrong
    assert (confirm(found, wanted), durability(found, wanted)) == (waits_for, word)


@pytest.mark.parametrize(
    ("found", "wanted", "words"),
    [
        (facts(), EVERYSEC, "the last second of accepted jobs; when its disk is slow, two"),
        (facts(), EVERYSEC, "a failover that was not planned loses"),
        (facts(appendfsync="no"), EVERYSEC, "the last half minute"),
        (facts(appendonly="no"), EVERYSEC, "every job since its last snapshot"),
        (facts(), FSYNC, "loses no accepted job; a broken disk can lose all of them"),
        (facts(waits=False), FSYNC, "the last second"),
        (
            facts(),
            REPLICAS,
            "in the memory of 2 replicas too; a failover to a server that does not have it loses it",
        ),
        (Facts(), EVERYSEC, "UNVERIFIED"),
    ],
)
def test_what_can_be_lost_is_said_in_words(found: Facts, wanted: BrokerPlan, words: str) -> None:
    assert words in loss(found, wanted)


@pytest.mark.parametrize("found", [facts(), facts(appendfsync="always"), Facts()])
@pytest.mark.parametrize("wanted", [EVERYSEC, FSYNC, REPLICAS])
def test_no_server_is_said_to_lose_nothing_whatever_happens(found: Facts, wanted: BrokerPlan) -> None:
    words = loss(found, wanted)
    assert "can lose" in words or "UNVERIFIED" in words


@pytest.mark.parametrize("wanted", [EVERYSEC, FSYNC, REPLICAS])
def test_what_a_server_hides_is_unverified_and_nothing_is_wrong(wanted: BrokerPlan) -> None:
    assert set(verdicts(Facts(), wanted).values()) == {"UNVERIFIED"}
    assert durability(Facts(), wanted) == "unverified"


def test_a_server_that_hides_its_settings_tells_of_its_file_all_the_same() -> None:
    found = Facts({"aof_enabled": "0", "maxmemory_policy": "volatile-lru"})
    assert verdicts(found, EVERYSEC) == {"eviction": "FAILED", "file": "WEAK"}


def test_fsync_is_kept_by_producers_where_the_server_hides_how_it_writes() -> None:
    found = Facts({"aof_enabled": "1", "maxmemory_policy": "noeviction"}, {}, waits_for_file=True)
    assert (verdicts(found, FSYNC), confirm(found, FSYNC)) == ({}, Confirm())


def test_eviction_is_refused_unless_the_file_accepts_it() -> None:
    found = facts(maxmemory_policy="allkeys-lru")
    assert verdicts(found, EVERYSEC) == {"eviction": "FAILED"}
    assert verdicts(found, BrokerPlan("redis://queue", allow_eviction=True)) == {"eviction": "WEAK"}


def test_whatever_is_not_ok_says_what_to_do() -> None:
    found: list[Any] = [check for wanted, one, *_ in TABLE for check in compare(one, wanted)]
    found += compare(Facts(), REPLICAS)
    assert [check for check in found if (check.verdict == "ok") == bool(check.help)] == []
    assert [check for check in found if check.verdict == "WEAK" and not check.meaning] == []
