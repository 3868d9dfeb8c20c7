"""The embedded broker: started, joined, handed over, and gone."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from pipeline.broker import parse
from pipeline.errors import BrokerUnavailable, StartError
from pipeline.store.connect import connect_blocking
from pipeline.supervisor.embedded import Embedded, answers, open_broker

HOLD = """
import sys, msgspec
from pipeline.plan import Plan
from pipeline.supervisor.embedded import Embedded
embedded = Embedded(msgspec.json.decode(sys.argv[1].encode(), type=Plan), sys.argv[2])
embedded.open()
print(embedded.pid, flush=True)
sys.stdin.read()
embedded.close()
"""


def ask(url, *command):
    connection = connect_blocking(parse(url))
    try:
        return connection.call(command)
    finally:
        connection.close()


class Holder:
    """Another process that holds the broker until it is told to let go."""

    def __init__(self, plan, role):
        command = [sys.executable, "-c", HOLD, msgspec.json.encode(plan).decode(), role]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._in, self._out = self.process.stdin, self.process.stdout
        self.server = int(self._out.readline())

    def let_go(self):
        self._in.close()

    def end(self):
        self._in.close()
        self.process.wait()
        self._out.close()


@pytest.fixture
def hold(plan):
    holders = []

    def start(role):
        holders.append(Holder(plan, role))
        return holders[-1]

    yield start
    for holder in holders:
        holder.end()


def test_a_command_starts_the_server_for_as_long_as_it_lasts(plan, root):
    with open_broker(plan, start=True) as url:
        assert ask(url, "SET", "k", "v") == b"OK"
    assert not (root / ".pipeline" / "broker.sock").exists()
    with open_broker(plan, start=True) as url:
        assert ask(url, "GET", "k") == b"v"


def test_the_socket_and_what_the_server_writes_are_for_its_owner_only(plan, root):
    with open_broker(plan, start=True):
        mode = (root / ".pipeline" / "broker.sock").stat().st_mode
        assert stat.S_ISSOCK(mode)
        assert mode & 0o777 == 0o600
        assert (root / ".pipeline").stat().st_mode & 0o777 == 0o700


def test_the_server_listens_on_no_port_and_cannot_be_told_otherwise(plan):
    with open_broker(plan, start=True) as url:
        assert ask(url, "CONFIG", "GET", "port")[1] == b"0"
        assert ask(url, "CONFIG", "GET", "maxmemory-policy")[1] == b"noeviction"
        assert ask(url, "CONFIG", "GET", "appendfsync")[1] == b"everysec"
    with open_broker(replace(plan, broker=replace(plan.broker, durability="fsync")), start=True) as url:
        assert ask(url, "CONFIG", "GET", "appendfsync")[1] == b"always"


def test_without_start_nothing_is_started_and_the_way_out_is_said(plan, root):
    with pytest.raises(BrokerUnavailable, match="does not run") as refused, open_broker(plan, start=False):
        pass
    assert "pipeline run" in refused.value.help
    assert not (root / ".pipeline").exists()


def test_without_start_the_server_that_runs_is_found(plan):
    with open_broker(plan, start=True) as url, open_broker(plan, start=False) as found:
        assert found == url


def test_a_url_is_taken_as_it_is(plan, root):
    own = replace(plan, broker=replace(plan.broker, url="redis://somewhere"))
    with open_broker(own, start=True) as url:
        assert url == "redis://somewhere"
    assert not (root / ".pipeline").exists()


def test_a_command_joins_the_server_of_a_supervisor_and_leaves_it_running(plan, hold):
    hold("run")
    with open_broker(plan, start=True) as url:
        assert ask(url, "PING") == b"PONG"
    assert answers(Path(parse(url).path))


def test_a_supervisor_waits_for_the_command_that_owns_the_server(plan, hold):
    holder = hold("command")
    ours = Embedded(plan, "run")
    assert not ours.ensure()
    holder.let_go()
    ours.open()
    assert ours.owned
    ours.close()


def test_an_owner_waits_for_the_commands_that_use_its_server(plan, hold):
    owner = hold("command")
    with open_broker(plan, start=True) as url:
        owner.let_go()
        time.sleep(0.2)
        assert ask(url, "PING") == b"PONG"
    assert owner.process.wait(5) == 0


def test_two_supervisors_share_a_server_and_the_second_takes_it_over(plan, hold):
    owner = hold("run")
    ours = Embedded(plan, "run")
    ours.open()
    assert not ours.owned
    ask(ours.url, "SET", "k", "v")
    owner.end()
    ours.open()
    assert ours.owned
    assert ask(ours.url, "GET", "k") == b"v"
    ours.close()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel tells children only there")
def test_the_server_dies_with_its_owner_and_what_was_answered_is_kept(plan, hold):
    owner = hold("run")
    ours = Embedded(plan, "run")
    ours.open()
    ask(ours.url, "SET", "k", "v")
    owner.process.send_signal(signal.SIGKILL)
    owner.process.wait()
    ours.open()
    assert ours.owned
    assert ask(ours.url, "GET", "k") == b"v"
    ours.close()


def test_a_server_that_died_is_started_again(plan):
    ours = Embedded(plan, "run")
    ours.open()
    ask(ours.url, "SET", "k", "v")
    os.kill(ours.pid, signal.SIGKILL)
    os.waitid(os.P_PID, ours.pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(BrokerUnavailable, match="ended with -9"):
        ours.ensure()
    ours.open()
    assert ask(ours.url, "GET", "k") == b"v"
    ours.close()


def test_a_server_that_cannot_start_says_why(plan, root):
    (root / ".pipeline").mkdir(mode=0o700)
    (root / ".pipeline" / "appendonlydir").write_text("in the way")
    ours = Embedded(plan, "run")
    with pytest.raises(BrokerUnavailable, match="the embedded broker ended with 1"):
        ours.open()
    ours.close()


def test_a_path_too_long_for_a_socket_works_too(plan, root):
    deep = root / ("d" * 120)
    deep.mkdir()
    with open_broker(replace(plan, root=str(deep)), start=True) as url:
        assert ask(url, "PING") == b"PONG"
        assert not Path(parse(url).path).is_relative_to(deep)
    Path(parse(url).path).parent.rmdir()


@pytest.mark.security("S27")
@pytest.mark.parametrize("name", ["broker.lock", "broker.users", "broker.log"])
def test_no_symlink_in_the_state_folder_is_followed(plan, root, name):
    (root / ".pipeline").mkdir(mode=0o700)
    (root / ".pipeline" / name).symlink_to(root / "victim")
    with pytest.raises(StartError), open_broker(plan, start=True):
        pass
    assert not (root / "victim").exists()
