"""What systemd hears, over a socket of ours."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.supervisor.logs import Line, Logs
from pipeline.supervisor.notify import Notify


def quiet(line: Line) -> None:
    """No log is looked at."""


class Manager:
    """The end of the socket that systemd holds."""

    def __init__(self, address: str) -> None:
        self.named = f"@{address[1:]}" if address.startswith("\0") else address
        self._end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._end.bind(address)
        self._end.setblocking(False)

    def heard(self) -> list[str]:
        found = []
        try:
            while True:
                found.append(self._end.recv(4096).decode())
        except BlockingIOError:
            return found

    def close(self) -> None:
        self._end.close()


@pytest.fixture(params=["a path", "abstract"])
def manager(request: pytest.FixtureRequest) -> Iterator[Manager]:
    with tempfile.TemporaryDirectory(prefix="pq-") as folder:
        manager = Manager(f"{folder}/n" if request.param == "a path" else f"\0pipeline-test-{os.getpid()}")
        yield manager
        manager.close()


def notify(manager: Manager, **more: str) -> Notify:
    return Notify(Logs(quiet, secrets=["hunter22"]), {"NOTIFY_SOCKET": manager.named, **more})


def test_it_is_ready_once_when_jobs_are_worked_and_says_why_not_before(manager):
    told = notify(manager)
    told.tend("no worker of a takes jobs", lambda: "generation 1: no worker of a takes jobs")
    assert manager.heard() == ["STATUS=generation 1: no worker of a takes jobs"]
    told.tend(None, lambda: "generation 1")
    told.tend("the broker is away", lambda: "generation 1")
    told.tend(None, lambda: "generation 1")
    assert manager.heard() == ["READY=1", "STATUS=generation 1"]


def test_a_status_is_one_line_without_secrets(manager):
    notify(manager).tend("no", lambda: "it\nMAINPID=1 said \x1b[31mhunter22" + "x" * 9000)
    (line,) = manager.heard()
    assert "\n" not in line
    assert "\x1b" not in line
    assert "hunter22" not in line
    assert len(line) < 600


def test_a_reload_is_told_with_its_time_and_ends_ready_also_when_it_fails(manager):
    told = notify(manager)
    told.tend(None, lambda: "")
    manager.heard()
    with contextlib.suppress(RuntimeError), told.reloading():
        first, second = manager.heard()[0].split("\n")
        raise RuntimeError
    assert first == "RELOADING=1"
    assert int(second.removeprefix("MONOTONIC_USEC=")) > 0
    assert manager.heard() == ["READY=1"]


def test_a_reload_before_the_first_worker_or_in_a_stop_makes_nothing_ready(manager):
    told = notify(manager)
    with told.reloading():
        pass
    assert manager.heard() == []


async def test_a_stop_asks_for_more_time_as_long_as_the_loop_goes_round(manager, monkeypatch):
    monkeypatch.setattr("pipeline.supervisor.notify.EXTEND_SECONDS", 0.01)
    told = notify(manager)
    told.tend(None, lambda: "")
    with told.reloading():
        told.stopping()
        told.stopping()
    heard = [text for text in manager.heard() if not text.startswith("RELOADING")]
    assert heard == ["READY=1", "STOPPING=1", "EXTEND_TIMEOUT_USEC=15000000"]
    await asyncio.sleep(0.05)
    assert set(manager.heard()) == {"EXTEND_TIMEOUT_USEC=15000000"}
    told.close()
    await asyncio.sleep(0.03)
    assert manager.heard() == []


async def test_the_watchdog_hears_of_us_at_half_of_its_time(manager):
    told = notify(manager, WATCHDOG_USEC="100000", WATCHDOG_PID=str(os.getpid()))
    told.open()
    assert manager.heard() == ["WATCHDOG=1"]
    await asyncio.sleep(0.09)
    assert "WATCHDOG=1" in manager.heard()
    told.close()


@pytest.mark.parametrize(
    "watchdog",
    [{}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "x"}, {"WATCHDOG_USEC": "9", "WATCHDOG_PID": "1"}],
)
async def test_a_watchdog_that_is_not_ours_hears_nothing(manager, watchdog):
    notify(manager, **watchdog).open()
    assert manager.heard() == []


async def test_without_the_variable_nothing_is_sent_and_nothing_asked():
    told = Notify(Logs(quiet), {"WATCHDOG_USEC": "1000"})
    told.open()
    told.tend(None, lambda: pytest.fail("nobody listens"))
    told.stopping()
    told.close()


def test_a_manager_that_is_gone_is_said_once_and_ready_is_told_when_it_is_back():
    with tempfile.TemporaryDirectory(prefix="pq-") as folder:
        path, said = str(Path(folder) / "n"), list[Line]()
        told = Notify(Logs(said.append), {"NOTIFY_SOCKET": path})
        told.tend(None, lambda: "")
        told.tend(None, lambda: "")
        (line,) = said
        assert "NOTIFY_SOCKET" in line.line
        manager = Manager(path)
        told.tend(None, lambda: "")
        assert manager.heard() == ["READY=1"]
        manager.close()
