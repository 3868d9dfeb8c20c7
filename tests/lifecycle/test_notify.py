"""`pipeline run` as a systemd service of Type=notify, over a real socket."""

from __future__ import annotations

import contextlib
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lifecycle.conftest import Written

QUEUE = "queues: {a: {handler: 'hands:work', concurrency: 1}}\n"


class Ears(list[str]):
    """What a service manager has heard."""

    def __init__(self, end: socket.socket) -> None:
        super().__init__()
        self._end = end

    def has(self, text: str) -> bool:
        """Whether something that begins so came, once what has come is taken."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self.append(self._end.recv(4096).decode())
        return any(one.startswith(text) for one in self)


@pytest.fixture
def heard(written: Written, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ears]:
    """What a service manager hears of the run, as it comes."""
    path = str(written.root / "notify")
    end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    end.bind(path)
    end.setblocking(False)
    monkeypatch.setenv("NOTIFY_SOCKET", path)
    monkeypatch.setenv("WATCHDOG_USEC", "400000")
    yield Ears(end)
    end.close()


def test_a_run_is_ready_when_it_works_reloads_on_hup_and_stops_with_time_for_its_jobs(written, heard):
    run = written.up(QUEUE)
    written.eventually(lambda: heard.has("READY=1"), "it is ready")
    assert heard.has("WATCHDOG=1")
    written.eventually(lambda: heard.has("STATUS=generation 1, 1 worker"), "its status")
    # Nothing that it starts may speak in its name.
    assert all(b"NOTIFY_SOCKET" not in Path(f"/proc/{pid}/environ").read_bytes() for pid in run.children())

    heard.clear()
    written.write(QUEUE.replace("1}", "2}"))
    run.signal(signal.SIGHUP)
    written.eventually(lambda: heard.has("RELOADING=1\nMONOTONIC_USEC="), "the reload has begun")
    written.eventually(lambda: heard.has("READY=1"), "the reload has ended")
    written.eventually(lambda: heard.has("STATUS=generation 2"), "the new generation")

    written.enqueue("a", {"seconds": 0.5})
    written.sees("begin")
    heard.clear()
    run.signal(signal.SIGTERM)
    written.eventually(lambda: heard.has("STOPPING=1"), "the stop")
    assert run.ends() == 0
    assert heard.has("EXTEND_TIMEOUT_USEC=")
    assert not heard.has("READY=1")
    assert written.completed("a")


def test_a_run_whose_handlers_cannot_be_imported_is_never_ready(written, heard):
    written.write("queues: {a: {handler: 'nowhere:work'}}\n")
    assert written.run().ends() == 78
    assert not heard.has("READY=1")
