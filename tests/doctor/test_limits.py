"""Whether there is room, and how near the server is."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

import pytest

from pipeline.doctor import limits
from pipeline.doctor.facts import Facts
from pipeline.plan import BrokerPlan, Plan, PoolPlan, SupervisorPlan
from pipeline.policy import QueuePolicy


def plan(url: str = "redis://queue", root: str = "/", **policy: Any) -> Plan:
    """Two queues share three workers."""
    queues = {name: QueuePolicy(name, **policy) for name in "ab"}
    pools = {"both": PoolPlan(("a", "b"), 3)}
    return Plan("shop", root, "/p.yaml", "h", BrokerPlan(url), SupervisorPlan(), None, queues, pools)


@pytest.mark.parametrize(("ms", "verdict"), [(0.1, "ok"), (20.0, "ok"), (20.1, "WEAK")])
def test_a_server_far_away_is_weak(ms: float, verdict: str) -> None:
    assert limits.round_trip(ms).verdict == verdict


@pytest.mark.parametrize(
    ("ms", "verdict", "word"),
    [(5, "ok", "ahead"), (-1_000, "ok", "behind"), (1_001, "WEAK", "ahead"), (-9_000, "WEAK", "behind")],
)
def test_clocks_a_second_apart_are_weak(ms: float, verdict: str, word: str) -> None:
    check = limits.clock(ms)
    assert (check.verdict, word in check.found) == (verdict, True)


@pytest.mark.parametrize(("most", "verdict"), [(128, "ok"), (127, "WEAK")])
def test_every_worker_needs_two_connections_for_each_of_its_queues(most: int, verdict: str) -> None:
    found = Facts({"connected_clients": "100", "maxclients": str(most)})
    assert limits.connections(found, plan()).verdict == verdict


def test_a_supervisor_needs_files_for_its_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    for allowed, verdict in ((88, "ok"), (87, "WEAK")):
        monkeypatch.setattr(resource, "getrlimit", lambda _, allowed=allowed: (allowed, allowed))
        assert limits.files(plan()).verdict == verdict


@pytest.mark.parametrize("setting", ["proto-max-bulk-len", "client-query-buffer-limit"])
def test_a_server_must_take_the_largest_payload(setting: str) -> None:
    settings = {"proto-max-bulk-len": "1000000", "client-query-buffer-limit": "1000000"}
    assert limits.payloads(Facts(settings=settings), plan(max_payload=900_000)).verdict == "ok"
    settings[setting] = "900000"
    check = limits.payloads(Facts(settings=settings), plan(max_payload=900_000))
    assert (check.verdict, setting in check.help) == ("FAILED", True)


@pytest.mark.parametrize(("size", "verdict"), [(0, "ok"), (10**18, "WEAK")])
def test_an_embedded_broker_needs_room_to_write_its_file_anew(
    tmp_path: Path, size: int, verdict: str
) -> None:
    check = limits.disk(Facts({"aof_current_size": str(size)}), plan("embedded", str(tmp_path)))
    assert check is not None
    assert check.verdict == verdict


def test_the_disk_of_another_server_is_none_of_ours() -> None:
    assert limits.disk(Facts(), plan()) is None


def test_what_is_hidden_is_unverified() -> None:
    assert limits.connections(Facts(), plan()).verdict == "UNVERIFIED"
    assert limits.payloads(Facts(), plan()).verdict == "UNVERIFIED"
