"""A primary and its replicas, and three Sentinels that watch them."""

from __future__ import annotations

from pathlib import Path

from faults.broker import Broker
from faults.processes import eventually
from faults.topology.replicated import Replicated
from faults.topology.servers import places, role

SERVICE = "mymaster"
COUNT, QUORUM = 3, 2


class Sentinel(Broker):
    """A Sentinel, which knows from the beginning whom it watches, and the others that do."""

    text = ""

    def command(self) -> list[str]:
        file = self.folder / "sentinel.conf"
        if not file.exists():
            file.write_text(self.text)
        return [self.binary, str(file), "--sentinel"]


class Sentinels(Replicated):
    """`down_after` is the ms of silence after which a primary is taken for dead."""

    def __init__(
        self, folder: Path, binary: str = "", replicas: int = 1, down_after: int = 5000, **options: str
    ) -> None:
        super().__init__(folder, binary, replicas, **options)
        self._down_after = down_after
        self.sentinels = [Sentinel(place, binary) for place in places(folder, "s", COUNT)]
        names = ",".join(f"127.0.0.1:{one.port}" for one in self.sentinels)
        self.url = f"redis+sentinel://{names}/{SERVICE}"

    def start(self) -> None:
        super().start()
        for number, one in enumerate(self.sentinels):
            one.text = self._file(number)
            one.start()
        eventually(lambda: all(map(self._agrees, self.sentinels)), "the Sentinels know each other")

    def kill(self) -> None:
        for one in self.sentinels:
            one.kill()
        super().kill()

    def await_failover(self, old: Broker, seconds: float) -> Broker:
        """The primary that is none of `old`, once all Sentinels name it, none takes it for dead, and it says so itself.
        Raises TooLate."""

        def look() -> Broker | None:
            ports = {_named(one) for one in self.sentinels}
            others = (node for node in self.nodes if node is not old)
            return next((node for node in others if ports == {node.port} and role(node) == "master"), None)

        found = eventually(look, "the Sentinels made another one primary", seconds)
        assert found is not None
        return found

    def _agrees(self, one: Broker) -> bool:
        replicas = one.call("SENTINEL", "REPLICAS", SERVICE)
        known = one.call("SENTINEL", "SENTINELS", SERVICE)
        states = [_fields(entry)["flags"] for entry in (*replicas, *known)]
        return len(states) == len(self.nodes) - 1 + COUNT - 1 and {*states} <= {"slave", "sentinel"}

    def _file(self, number: int) -> str:
        own = self.sentinels[number]
        lines = [
            f"port {own.port}",
            "bind 127.0.0.1",
            f"unixsocket {own.path}",
            f"dir {own.folder}",
            f"logfile {own.folder / 'log'}",
            f"sentinel myid {_id(number)}",
            f"sentinel monitor {SERVICE} 127.0.0.1 {self.nodes[0].port} {QUORUM}",
            f"sentinel down-after-milliseconds {SERVICE} {self._down_after}",
            f"sentinel failover-timeout {SERVICE} 10000",
            *(f"sentinel known-replica {SERVICE} 127.0.0.1 {node.port}" for node in self.nodes[1:]),
            *(
                f"sentinel known-sentinel {SERVICE} 127.0.0.1 {other.port} {_id(place)}"
                for place, other in enumerate(self.sentinels)
                if place != number
            ),
        ]
        return "\n".join(lines) + "\n"


def _named(one: Broker) -> int:
    """The port of the primary, as a Sentinel names it; 0 when it takes that for dead."""
    told = _fields(one.call("SENTINEL", "MASTER", SERVICE))
    return int(told["port"]) if told["flags"] == "master" else 0


def _id(number: int) -> str:
    return f"{number + 1:040x}"


def _fields(entry: list[bytes]) -> dict[str, str]:
    words = [word.decode() for word in entry]
    return dict(zip(words[::2], words[1::2], strict=True))
