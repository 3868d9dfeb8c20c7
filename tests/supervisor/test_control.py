"""The socket that commands speak to. Bad clients harm nobody."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket

import msgspec
import pytest

from pipeline.control import Outcome
from pipeline.errors import UnknownQueue
from pipeline.state import state_folder
from pipeline.supervisor.control import LONGEST_REQUEST, ControlSocket, is_ours


class Handler:
    """Answers with what it was asked; a `reload` waits until it may."""

    def __init__(self):
        self.asked = []
        self.may = asyncio.Event()

    async def __call__(self, request, say):
        self.asked.append(request)
        if request.do == "reload":
            say("it takes a while")
            await self.may.wait()
            say("done soon")
            return Outcome("applied", 2)
        if request.do == "restart":
            raise UnknownQueue("no such queue", "there are a, b")
        return {"by": request.by}


@pytest.fixture
def handler():
    return Handler()


@pytest.fixture
async def listening(root, handler, recwarn):
    listening = ControlSocket(state_folder(root), handler)
    trouble = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: trouble.append(context))
    await listening.open()
    yield listening
    listening.close()
    assert trouble == []


async def say(listening, data=b"", *, end=False):
    reader, writer = await asyncio.open_unix_connection(listening._path, limit=LONGEST_REQUEST * 20)
    writer.write(data)
    if end:
        writer.write_eof()
    return reader, writer


async def answer(reader):
    return msgspec.json.decode(await reader.readline())


async def works(listening):
    reader, writer = await say(listening, b'{"do":"plan","by":"me"}\n')
    assert await answer(reader) == {"done": {"by": "me"}}
    assert await reader.read() == b""
    writer.close()


async def test_a_request_is_answered_and_the_connection_closed(listening):
    await works(listening)


async def test_it_can_be_reached_by_its_owner_only(listening):
    assert listening._path.stat().st_mode & 0o777 == 0o600
    assert listening._path.parent.stat().st_mode & 0o777 == 0o700


async def test_progress_comes_before_the_answer(listening, handler):
    reader, writer = await say(listening, b'{"do":"reload"}\n')
    assert await answer(reader) == {"say": "it takes a while"}
    handler.may.set()
    assert await answer(reader) == {"say": "done soon"}
    assert (await answer(reader))["done"]["status"] == "applied"
    writer.close()


async def test_a_refusal_is_told_with_its_help(listening):
    reader, writer = await say(listening, b'{"do":"restart"}\n')
    assert await answer(reader) == {"error": "no such queue", "help": "there are a, b"}
    writer.close()


@pytest.mark.parametrize(
    "line", [b"hello\n", b'{"do":"dance"}\n', b"[]\n", b"\n", b'{"do":"reload","to":"x"}\n']
)
async def test_what_is_no_request_is_refused(listening, handler, line):
    reader, writer = await say(listening, line)
    assert "does not know such a request" in (await answer(reader))["error"]
    assert handler.asked == []
    writer.close()


async def test_clients_that_say_nothing_half_a_line_or_too_much_harm_nobody(listening, handler):
    silent = [await say(listening) for _ in range(5)]
    half = await say(listening, b'{"do":"re')
    _, ended = await say(listening, b'{"do":"plan"', end=True)
    reader, endless = await say(listening, b"x" * (LONGEST_REQUEST * 10))
    with contextlib.suppress(ConnectionError):
        assert await reader.read() == b""
    await works(listening)
    assert len(handler.asked) == 1
    for writer in (half[1], ended, endless, *(writer for _, writer in silent)):
        writer.close()


async def test_a_client_that_goes_away_while_it_waits_stops_nothing(listening, handler):
    reader, writer = await say(listening, b'{"do":"reload"}\n')
    await answer(reader)
    writer.transport.abort()
    handler.may.set()
    await works(listening)
    assert [request.do for request in handler.asked] == ["reload", "plan"]


async def test_another_user_is_not_answered(listening, handler, monkeypatch):
    monkeypatch.setattr("pipeline.supervisor.control.is_ours", lambda peer: False)
    reader, writer = await say(listening, b'{"do":"plan"}\n')
    with contextlib.suppress(ConnectionError):
        assert await reader.read() == b""
    assert handler.asked == []
    writer.close()


async def test_sockets_of_the_dead_are_removed_and_what_is_no_socket_of_ours_stays(root, handler):
    listening = ControlSocket(state_folder(root), handler)
    folder = listening._path.parent
    for name in ("4194303.sock", listening._path.name, "1.sock"):
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(folder / name))
    (folder / "notes.sock").mkdir()
    (folder / "readme").touch()
    await listening.open()
    await works(listening)
    assert {path.name for path in folder.iterdir()} == {
        listening._path.name,
        "1.sock",
        "notes.sock",
        "readme",
    }
    listening.close()
    assert not listening._path.exists()


def test_only_the_same_user_and_root_are_ours(monkeypatch):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert is_ours(ours)
        monkeypatch.setattr("pipeline.supervisor.control.geteuid", lambda: 12_345)
        assert is_ours(ours) == (os.getuid() == 0)
