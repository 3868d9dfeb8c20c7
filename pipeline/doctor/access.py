"""Who may speak to a server, and whether this user may do there what is needed."""

from __future__ import annotations

import asyncio
import ipaddress
import re
from collections.abc import Iterator
from typing import Any

from pipeline.broker import Address, Way
from pipeline.doctor.check import Check, failed, ok, unverified, weak
from pipeline.doctor.facts import asked
from pipeline.errors import BrokerRefused
from pipeline.store.scripts import LUA
from pipeline.store.wire import Command, Connection

_CALLED = re.compile(r"redis\.call\('(\w+)'")
ALL_OF_IT = "deploy/acl/pipeline.acl has all that is needed"
ASK = "allow this user ACL WHOAMI, ACL DRYRUN and COMMAND INFO"
DIRECT: tuple[Command, ...] = (
    ("EVALSHA", "0" * 40, 1, "KEY"), ("EVAL", "return 1", 1, "KEY"), ("BLMPOP", 1, 1, "KEY", "LEFT"),
    ("PING",), ("TIME",), ("GET", "PROJECT"), ("PTTL", "KEY"), ("LRANGE", "KEY", 0, -1), ("LINDEX", "KEY", 0), ("LLEN", "KEY"), ("SMEMBERS", "PROJECT"),
    ("HGET", "KEY", "f"), ("HMGET", "KEY", "f"), ("HGETALL", "KEY"), ("HVALS", "KEY"), ("HKEYS", "KEY"),
    ("ZRANGE", "KEY", 0, -1), ("ZREVRANGE", "KEY", 0, -1), ("ZREVRANK", "KEY", "m"), ("HSTRLEN", "KEY", "f"), ("EXISTS", "PROJECT"), ("SET", "PROJECT", 1), ("LPOS", "KEY", "m"),
    ("HSCAN", "KEY", 0), ("XRANGE", "KEY", "-", "+"), ("XREAD", "STREAMS", "KEY", 0), ("ZCARD", "KEY"),
)  # fmt: skip
"""What is sent beside the scripts, and the two that carry them."""
FINDING: dict[Way, tuple[Command, ...]] = {
    "several": (("ROLE",),), "sentinel": (("ROLE",),), "cluster": (("CLUSTER", "SLOTS"),),
}  # fmt: skip
"""What tells where the broker is."""


def network(address: Address) -> Iterator[Check]:
    """Whether others can read along, or do as we do."""
    if all(is_loopback(node.host) for node in address.nodes):
        yield ok("network", f"this machine only: {address}")
        return
    if not address.password:
        help = "set one on the server, and write broker.url: redis://user:${PASSWORD}@host"
        yield weak(
            "password", f"{address} is reached without a password", "whoever reaches it can run jobs", help
        )
    if not address.tls:
        help = "use rediss:// when the way there is not a network of your own"
        yield weak(
            "tls", f"{address} is reached without TLS", "payloads and passwords can be read on the way", help
        )
    if address.password and address.tls:
        yield ok("network", f"{address}, with a password and TLS")


def is_loopback(host: str) -> bool:
    """Whether this name means this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def rights(connection: Connection, project: str, way: Way = "one") -> Check:
    """Whether the user that we are may run all commands that are needed, on keys of ours."""
    user = await asked(connection, ("ACL", "WHOAMI"))
    arities = await _arities(connection)
    if user is None or arities is None:
        return unverified("rights", "the broker does not say what we may do there", ASK)
    name = user.decode()
    tries = {command[0]: command for command in DIRECT} | {
        word: (word, *["KEY"] * (abs(arity) - 1)) for word, arity in arities.items()
    }
    tries |= {"|".join(command): command for command in FINDING.get(way, ())}
    keys = {"KEY": f"{{{project}:doctor}}", "PROJECT": f"{{{project}}}:doctor"}
    try:
        answers = await asyncio.gather(
            *(_try(connection, name, [keys.get(word, word) for word in words]) for words in tries.values())
        )
    except BrokerRefused:
        return unverified("rights", f"the broker does not say what user {name} may do there", ASK)
    return judge(name, project, dict(zip(tries, answers, strict=True)))


def judge(user: str, project: str, answers: dict[str, str]) -> Check:
    """`answers`: what the server would say to each command, which is OK when it may be run."""
    if any("access the" in answer for answer in answers.values()):
        found = f"user {user} may not use all keys that begin with {{{project}}} or {{{project}:"
        return failed(
            "rights", found, "jobs stand still", f"ACL SETUSER {user} ~{{{project}}}* ~{{{project}:*"
        )
    missing = sorted(word for word, answer in answers.items() if answer != "OK")
    if not missing:
        return ok("rights", f"user {user} may run the {len(answers)} commands that are needed")
    listed = " ".join(f"+{word.lower()}" for word in missing)
    found = f"user {user} may not run {', '.join(missing)}"
    return failed("rights", found, "jobs stand still", f"ACL SETUSER {user} {listed}; {ALL_OF_IT}")


def scripted() -> list[str]:
    """The commands that our scripts run."""
    return sorted({word for path in LUA.rglob("*.lua") for word in _CALLED.findall(path.read_text())})


async def _arities(connection: Connection) -> dict[str, int] | None:
    """Those of `scripted`, with how many words each takes at least; None when that is hidden."""
    words = scripted()
    told = await asked(connection, ("COMMAND", "INFO", *words))
    if told is None:
        return None
    return {word: about[1] for word, about in zip(words, told, strict=True) if about}


async def _try(connection: Connection, user: str, words: list[Any]) -> str:
    """What the server would answer. Raises BrokerRefused when it may not be asked."""
    reply = await connection.call(("ACL", "DRYRUN", user, *words))
    return reply.decode() if isinstance(reply, bytes) else str(reply)
