"""The users of deploy/acl: the one that works has the rights that the code needs, and no others."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from pipeline.broker import Address, Way, parse
from pipeline.doctor import access
from pipeline.errors import BrokerDenied, BrokerRefused
from pipeline.store.blocking import BlockingConnection
from pipeline.store.connect import connect, connect_blocking
from pipeline.supervisor.binary import find_server
from tests.acl import FILE, PASSWORD
from tests.acl import text as as_taken
from tests.conftest import Server, start_server

PLACES = {"role", "cluster|slots", "select"}
ASKED = {"info", "wait", "waitaof", "acl|whoami", "acl|dryrun", "command|info"}
DENIED = [
    "KEYS *", "SCAN 0", "RANDOMKEY", "DBSIZE", "FLUSHALL", "FLUSHDB", "SWAPDB 0 1", "CONFIG GET requirepass", "CONFIG SET dir /tmp",
    "CONFIG REWRITE", "SCRIPT FLUSH", "SCRIPT LOAD x", "FUNCTION LIST", "MODULE LIST", "DEBUG SLEEP 0", "SHUTDOWN NOSAVE", "SAVE", "BGSAVE",
    "BGREWRITEAOF", "REPLICAOF 127.0.0.1 1", "FAILOVER", "PSYNC ? -1", "MONITOR", "CLIENT LIST", "CLIENT KILL TYPE normal", "ACL LIST",
    "ACL SETUSER pipeline +@all", "ACL GETUSER pipeline", "SLOWLOG GET", "LATENCY RESET", "MIGRATE 127.0.0.1 1 k 0 1", "RESTORE {shop}:x 0 x",
    "SUBSCRIBE x", "PUBLISH x y", "CLUSTER RESET", "OBJECT HELP", "SORT {shop}:x", "COPY {shop}:x {shop}:y",
    "GET other", "GET {shopping}:x", "GET {shop", "SET shop 1", "EVAL return(redis.call('GET','other')) 0", "EVAL return(redis.call('KEYS','*')) 0",
    "EVAL return(redis.call('FLUSHALL')) 0", "EVAL return(redis.call('CONFIG','GET','*')) 0",
]  # fmt: skip


@pytest.fixture(scope="module")
def file() -> Iterator[Path]:
    """The file as its README makes it."""
    folder = Path(tempfile.mkdtemp(prefix="pq-"))
    text = as_taken()
    for placeholder, password in (("#PASSWORD", "secret"), ("#ADMIN", PASSWORD)):
        text = text.replace(placeholder, f"#{sha256(password.encode()).hexdigest()}")
    (folder / "users.acl").write_text(text)
    yield folder / "users.acl"
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def server(file: Path) -> Iterator[Server]:
    running = start_server(file.parent, users=file)
    yield running
    running.process.kill()
    running.process.wait()


@pytest.fixture
def ours(server: Server) -> Iterator[BlockingConnection]:
    connection = connect_blocking(parse(f"unix://pipeline:secret@{server.socket}"))
    yield connection
    connection.close()


@pytest.mark.security("S23")
@pytest.mark.parametrize("command", DENIED)
def test_what_is_not_needed_is_denied(ours: BlockingConnection, command: str) -> None:
    with pytest.raises(BrokerRefused, match=r"NOPERM|ACL failure|not allowed|executing the script can't"):
        ours.call(tuple(command.split(" ")))
    assert ours.call(("PING",)) == b"PONG"


@pytest.mark.security("S23")
@pytest.mark.parametrize("login", ["", "default:x@", "pipeline:x@", "admin:x@"])
async def test_nobody_comes_in_without_the_password(server: Server, login: str) -> None:
    with pytest.raises(BrokerDenied):
        await called(parse(f"unix://{login}{server.socket}"))


async def called(address: Address) -> Any:
    connection = await connect(address)
    try:
        return await connection.call(("PING",))
    finally:
        connection.close()


def test_the_rights_are_those_that_the_code_and_its_scripts_use() -> None:
    [line] = re.findall(r"^user pipeline .*", FILE.read_text(), re.MULTILINE)
    commands = set(re.findall(r"\+(\S+)", line))
    used = {command[0].lower() for command in access.DIRECT} | {word.lower() for word in access.scripted()}
    assert commands == used | PLACES | ASKED


def test_a_file_with_a_placeholder_left_in_it_is_refused_by_the_server(tmp_path: Path) -> None:
    command = [find_server(), "--port", "0", "--save", "", "--dir", str(tmp_path), "--aclfile", str(FILE)]
    ended = subprocess.run(command, capture_output=True, timeout=20, check=False)
    assert ended.returncode == 1


@pytest.mark.parametrize("way", ["one", "sentinel", "cluster"])
async def test_they_are_enough_for_the_doctor(server: Server, way: Way) -> None:
    connection = await connect(parse(f"unix://pipeline:secret@{server.socket}"))
    assert (await access.rights(connection, "shop", way)).verdict == "ok"
    connection.close()
