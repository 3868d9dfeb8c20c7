"""What a no-op job costs on the wire: one more drain of each peer, with the server's own counts."""

import time

from bench.measures import Bench, Settings
from bench.server import Server
from bench.suite import Suite
from bench.workers import Workers


def measure(suite: Suite, name: str, run: int) -> None:
    """Emits server_reads (about the worker's round trips), commands (those inside scripts too), net bytes."""
    peer, settings = suite.peers[name], Settings()
    bench = Bench(name, peer, run, suite.results, settings)
    with (
        Server(settings.server, bench.filled("noop", peer.jobs)) as server,
        Workers(peer, peer.low) as workers,
    ):
        server.client.config_resetstat()
        before = _totals(server)
        count = workers.wait(peer.jobs, 120)[0]
        time.sleep(0.2)  # the last settlements
        after = _totals(server)
        calls = {
            name[8:].lower(): round(stat["calls"] / count, 2)
            for name, stat in server.info("commandstats").items()
        }
    top = dict(sorted(((k, v) for k, v in calls.items() if v), key=lambda item: -item[1]))
    reads, commands, net = ((b - a) / count for a, b in zip(before, after, strict=True))
    config = f"n={peer.jobs}, {peer.low}"
    bench.emit("server_reads", reads, "reads/job", config)
    bench.emit("commands", commands, "commands/job", config, top=top)
    bench.emit("net_bytes", net, "bytes/job", config)


def _totals(server: Server) -> tuple[int, int, int]:
    stats = server.info("stats")
    bytes_moved = stats["total_net_input_bytes"] + stats["total_net_output_bytes"]
    return stats["total_reads_processed"], stats["total_commands_processed"], bytes_moved
