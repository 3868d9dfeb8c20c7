"""What is put before the C library of a server does what a power cut, or a clock that jumps, would do."""

from __future__ import annotations

import struct
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from faults import preload
from faults.broker import Broker
from faults.preload import build
from faults.processes import eventually


@pytest.fixture
def stopped(server) -> Iterator[Broker]:
    with tempfile.TemporaryDirectory(prefix="pf-") as folder:
        broker = Broker(Path(folder))
        yield broker
        broker.kill()


def sizes(broker: Broker) -> tuple[int, int]:
    """The bytes of the append-only file, and how many of them a power cut would leave."""
    (file,) = broker.folder.glob("appendonlydir/*.incr.aof")
    note = file.with_name(f"{file.name}.durable")
    return file.stat().st_size, int(note.read_text()) if note.exists() else 0


def is_off(broker: Broker, seconds: int) -> bool:
    """Whether a server's clock is ahead of ours by about so much."""
    return abs(int(broker.call("TIME")[0]) - time.time() - seconds) < 60


@pytest.mark.world
def test_what_a_power_cut_would_leave_is_what_the_last_sync_had_before_it(stopped):
    stopped.environment["LD_PRELOAD"] = build("durable", stopped.folder)
    stopped.options["appendfsync"] = "always"
    stopped.start()
    stopped.call("SET", "synced", "1")
    written, durable = sizes(stopped)
    assert written == durable > 0
    stopped.call("CONFIG", "SET", "appendfsync", "no")
    stopped.call("SET", "only written", "1")
    assert sizes(stopped)[0] > written
    assert sizes(stopped)[1] == durable


@pytest.mark.world
def test_the_clock_of_a_server_jumps_and_ours_does_not(stopped):
    clock = stopped.folder / "clock"
    clock.write_bytes(struct.pack("q", 0))
    stopped.environment |= {"LD_PRELOAD": build("clock", stopped.folder), "FAULTS_CLOCK": str(clock)}
    stopped.start()
    for hours in (0, 1, -1):
        with clock.open("r+b") as file:
            file.write(struct.pack("q", hours * 3600))
        eventually(partial(is_off, stopped, hours * 3600), f"{hours} hours off")


def test_who_has_no_compiler_is_told_so(monkeypatch, tmp_path):
    monkeypatch.setattr(preload, "COMPILERS", ("no-such-compiler",))
    with pytest.raises(RuntimeError, match="needs a C compiler: there is none of no-such-compiler"):
        build("durable", tmp_path)
