"""Where a broker is found: one server, several of which one is primary, Sentinels that know it, or a cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from msgspec import Struct
from msgspec.structs import replace

Way = Literal["one", "several", "sentinel", "cluster"]
WAYS: dict[str, Way] = {
    "redis": "one",
    "rediss": "one",
    "unix": "one",
    "redis+sentinel": "sentinel",
    "rediss+sentinel": "sentinel",
    "redis+cluster": "cluster",
    "rediss+cluster": "cluster",
}
PORT, SENTINEL_PORT = 6379, 26379


class Node(NamedTuple):
    """A server on the network."""

    host: str
    port: int = PORT

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Address(Struct, frozen=True):
    """Where a broker is found, and who we are there.

    `nodes` are asked in their order: the server itself, those of which one is primary, the Sentinels, or some nodes of
    the cluster. `path` is that of a unix socket, instead of nodes. `service` is what Sentinels call the broker;
    `guard` is user and password for them.
    """

    nodes: tuple[Node, ...] = ()
    path: str = ""
    username: str = ""
    password: str = ""
    db: int = 0
    tls: bool = False
    way: Way = "one"
    service: str = ""
    guard: tuple[str, str] = ("", "")

    def __str__(self) -> str:
        """For people: without the password."""
        if self.path:
            return f"unix://{self.path}"
        places = ", ".join(map(str, self.nodes))
        return f"{self.service} of the Sentinels {places}" if self.service else places

    def at(self, node: Node) -> Address:
        """One server that serves this broker."""
        return replace(self, nodes=(node,), way="one", service="", guard=("", ""))

    def sentinel(self, node: Node) -> Address:
        """One of the Sentinels."""
        username, password = self.guard
        return Address((node,), username=username, password=password, tls=self.tls)

    def greeting(self) -> list[tuple[Any, ...]]:
        """The commands that a new connection to a server begins with."""
        commands: list[tuple[Any, ...]] = []
        if self.password:
            commands.append(("AUTH", self.username or "default", self.password))
        if self.db:
            commands.append(("SELECT", self.db))
        return commands


def parse(url: str) -> Address:
    """A broker's URL as an Address; the README lists their forms. Raises ValueError, for a person."""
    scheme, _, rest = url.partition("://")
    if scheme not in WAYS:
        raise ValueError(f"a broker's URL begins with one of {', '.join(f'{one}://' for one in WAYS)}")
    parts = urlsplit(f"//{rest}")
    login, _, places = parts.netloc.rpartition("@")
    username, password = (unquote(part) for part in login.partition(":")[::2])
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    who = Address(username=username, password=password, tls=scheme.startswith("rediss"))
    if scheme == "unix":
        if places or not parts.path:
            raise ValueError("the path of a socket follows three slashes: unix:///run/redis.sock")
        return replace(who, path=unquote(parts.path), db=_database(query.get("db")))
    return _networked(replace(who, way=WAYS[scheme]), places.split(","), parts.path.strip("/"), query)


def _networked(who: Address, places: Sequence[str], path: str, query: Mapping[str, str]) -> Address:
    nodes = tuple(_node(place, SENTINEL_PORT if who.way == "sentinel" else PORT) for place in places)
    if who.way == "sentinel":
        service, _, database = path.partition("/")
        if not service:
            raise ValueError("the name that the Sentinels have for the broker is missing")
        guard = query.get("sentinel_username", ""), query.get("sentinel_password", "")
        who = replace(who, service=unquote(service), guard=guard)
    else:
        database = path
    if who.way == "one" and len(nodes) > 1:
        who = replace(who, way="several")
    who = replace(who, nodes=nodes, db=_database(database or query.get("db")))
    if who.way == "cluster" and who.db:
        raise ValueError("a cluster has one database only")
    return who


def _node(place: str, port: int) -> Node:
    try:
        parts = urlsplit(f"//{place}")
        node = Node(parts.hostname or "127.0.0.1", port if parts.port is None else parts.port)
    except ValueError:
        node = Node("", 0)
    if not node.port:
        raise ValueError(f"{place} is no host and port")
    return node


def _database(text: str | None) -> int:
    if text and not (text.isascii() and text.isdigit()):
        raise ValueError(f"the database is a number, not {text}")
    return int(text or 0)
