"""What a server's settings can lose, against `broker.durability`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pipeline.doctor.check import Check, failed, ok, unverified, weak
from pipeline.doctor.facts import Facts
from pipeline.plan import BrokerPlan
from pipeline.store.confirm import Confirm

FAILOVER = (
    "a failover that was not planned loses what its replica does not have yet, as a rule of the last second"
)
NO_FILE = "a crash of the broker loses every job since its last snapshot"
LOSS = {
    "always": "a crash or a power cut loses no accepted job; a broken disk can lose all of them",
    "everysec": "a crash or a power cut of the broker's host can lose the last second of accepted jobs; when its disk is "
    "slow, two, and so can a crash of the server alone",
    "no": "a crash or a power cut of the broker's host can lose the last half minute of accepted jobs",
}


def loss(facts: Facts, wanted: BrokerPlan) -> str:
    """In words, what can be lost of what was accepted."""
    own = _own_loss(facts, wanted)
    if not wanted.replicas:
        return f"{own}; {FAILOVER}" if facts.replicas else own
    replicas = "a replica" if wanted.replicas == 1 else f"{wanted.replicas} replicas"
    return (
        f"an accepted job is in the memory of {replicas} too; a failover to a server that does not have it loses it, "
        f"and when they all end at once, {own}"
    )


def _own_loss(facts: Facts, wanted: BrokerPlan) -> str:
    fsync = facts.settings.get("appendfsync")
    if facts.keeps_file is False:
        return NO_FILE
    if confirm(facts, wanted) == Confirm():
        return LOSS["always"]
    if facts.keeps_file is None or fsync is None:
        return "what a crash can lose is UNVERIFIED: the broker hides its settings"
    return LOSS.get(fsync, LOSS["no"])


def confirm(facts: Facts, wanted: BrokerPlan) -> Confirm | None:
    """What producers must ask for beside the answer, because the server does not see to it by itself."""
    if wanted.replicas:
        return Confirm(wanted.replicas)
    if wanted.durability == "fsync" and facts.settings.get("appendfsync") != "always":
        return Confirm() if facts.waits_for_file and facts.keeps_file else None
    return None


def durability(facts: Facts, wanted: BrokerPlan) -> str:
    """In a word, what the server does: everysec, fsync, `replicas: n`, none, unverified."""
    if wanted.replicas and (facts.replicas or 0) >= wanted.replicas:
        return wanted.durability_words
    if facts.keeps_file is False:
        return "none"
    if confirm(facts, wanted) == Confirm():
        return "fsync"
    fsync = facts.settings.get("appendfsync")
    if facts.keeps_file is None or fsync is None:
        return "unverified"
    return {"always": "fsync", "everysec": "everysec"}.get(fsync, "none")


def compare(facts: Facts, wanted: BrokerPlan) -> Iterator[Check]:
    """What there is to say of the settings."""
    for rule in RULES:
        if (check := rule(facts, wanted)) is not None:
            yield check


def _eviction(facts: Facts, wanted: BrokerPlan) -> Check:
    policy = facts.eviction
    if policy is None:
        return unverified("eviction", "the broker hides its maxmemory-policy")
    found = f"maxmemory-policy {policy}"
    if policy == "noeviction":
        return ok("eviction", found)
    meaning = "the broker evicts keys when its memory is full, and jobs are lost"
    if wanted.allow_eviction:
        return weak(
            "eviction",
            found,
            f"{meaning}: broker.allow_eviction accepts that",
            "CONFIG SET maxmemory-policy noeviction",
        )
    help = "CONFIG SET maxmemory-policy noeviction, or broker.allow_eviction: true in the file"
    return failed("eviction", found, meaning, help)


def _file(facts: Facts, wanted: BrokerPlan) -> Check:
    if facts.keeps_file is None:
        return unverified("file", "the broker hides whether it keeps an append-only file")
    if facts.keeps_file:
        return ok("file", "appendonly yes")
    meaning = f"durability is {wanted.durability_words} in the file, but {NO_FILE}"
    return weak(
        "file", "appendonly no", meaning, "CONFIG SET appendonly yes, and write it into the server's own file"
    )


def _fsync(facts: Facts, wanted: BrokerPlan) -> Check | None:
    if not facts.keeps_file:
        return None
    fsync = facts.settings.get("appendfsync")
    found = f"appendfsync {fsync or 'is hidden'}"
    if confirm(facts, wanted) == Confirm():
        return ok("fsync", f"{found}; producers wait for the file (WAITAOF), for longer than with always")
    if fsync is None:
        return unverified("fsync", "the broker hides its appendfsync")
    needed = "always" if wanted.durability == "fsync" else "everysec"
    if fsync in (needed, "always"):
        return ok("fsync", found)
    meaning = f"durability is {wanted.durability_words} in the file, but {LOSS.get(fsync, LOSS['no'])}"
    return weak(
        "fsync", found, meaning, f"CONFIG SET appendfsync {needed}, and write it into the server's own file"
    )


def _replicas(facts: Facts, wanted: BrokerPlan) -> Check | None:
    if not wanted.replicas:
        return None
    if facts.replicas is None:
        return unverified("replicas", "the broker hides its replicas")
    found = f"{facts.replicas} of {wanted.replicas} replicas keep up"
    if facts.replicas >= wanted.replicas:
        return ok("replicas", found)
    help = "are they running? replicaof and masterauth are set there, see their logs"
    return weak("replicas", found, "no job is accepted until they do", help)


def _min_replicas(facts: Facts, wanted: BrokerPlan) -> Check | None:
    # A primary of a cluster that is cut off stops by itself, after cluster-node-timeout.
    needed = wanted.replicas or int(bool(facts.replicas) and facts.info.get("cluster_enabled") != "1")
    if not needed:
        return None
    least = facts.number("min-replicas-to-write")
    if least is None:
        return unverified("min-replicas", "the broker hides its min-replicas-to-write")
    found = f"min-replicas-to-write {least}"
    if least >= needed:
        return ok("min-replicas", found)
    meaning = "a primary cut off from its replicas goes on taking writes that will be lost"
    help = f"CONFIG SET min-replicas-to-write {needed}, and min-replicas-max-lag 10 or less"
    return weak("min-replicas", found, meaning, help)


RULES: tuple[Callable[[Facts, BrokerPlan], Check | None], ...] = (
    _eviction, _file, _fsync, _replicas, _min_replicas,
)  # fmt: skip
