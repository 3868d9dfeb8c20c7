"""How commands and supervisors speak: what is refused, what goes wrong, and that one bad client harms nobody."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator

import msgspec
import pytest

from pipeline.control import (
    Request,
    Speaker,
    ask_all,
    control_folder,
    control_socket,
    running_plan,
    speakers,
)
from pipeline.errors import NotRunning, PipelineError, StartError
from pipeline.plan import BrokerPlan, Plan, SupervisorPlan
from pipeline.state import LONGEST_SOCKET, state_folder


@contextlib.contextmanager
def answering(root, *replies, reset=False, pid=None) -> Iterator[list[bytes]]:
    """A supervisor that answers the first request with these bytes; the result is what it was asked."""
    path = control_socket(state_folder(root))
    path = path.with_name(f"{pid}.sock") if pid else path
    asked: list[bytes] = []
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                if not reset:
                    asked.append(connection.recv(65_536))
                with contextlib.suppress(BrokenPipeError):
                    connection.sendall(b"".join(replies))

        thread = threading.Thread(target=serve)
        thread.start()
        yield asked
        thread.join()


def nothing(text):
    raise AssertionError(text)


def a_plan(root, name="p.yaml") -> Plan:
    return Plan("test", str(root), str(root / name), "h", BrokerPlan(), SupervisorPlan(), None, {}, {})


def test_progress_is_heard_and_the_answer_returned(root):
    heard: list[str] = []
    with answering(root, b'{"say":"one"}\n{"say":"two"}\n{"done":{"quiet":true}}\n') as asked:
        assert ask_all(root, Request("quiet", "alice"), heard.append) == {os.getpid(): {"quiet": True}}
    assert heard == ["one", "two"]
    assert msgspec.json.decode(asked[0]) == {"do": "quiet", "by": "alice"}


def test_a_refusal_is_raised_with_its_help(root):
    with (
        answering(root, b'{"error":"no such queue","help":"there are a, b"}\n'),
        pytest.raises(PipelineError) as caught,
    ):
        ask_all(root, Request("restart"), nothing)
    assert (caught.value.message, caught.value.help) == ("no such queue", "there are a, b")


@pytest.mark.parametrize("torn", [b"", b'{"do', b'{"done":{"quiet":true}}'])
def test_a_supervisor_that_ends_in_the_middle_of_its_answer_is_said_to_have_ended(root, torn):
    with answering(root, torn), pytest.raises(NotRunning, match="ended before it answered"):
        ask_all(root, Request("reload"), nothing)


def test_a_supervisor_that_is_killed_with_a_request_unread_is_said_to_have_ended(root):
    with answering(root, reset=True), pytest.raises(NotRunning, match="ended before it answered"):
        ask_all(root, Request("reload"), nothing)


def test_a_project_in_which_nothing_runs_says_how_to_start(root):
    with pytest.raises(NotRunning) as caught:
        ask_all(root, Request("reload"), nothing)
    assert "pipeline run" in caught.value.help


@pytest.mark.security("S27")
def test_what_killed_supervisors_and_others_left_in_the_folder_is_passed_over(root):
    folder = control_socket(state_folder(root)).parent
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(folder / "4194303.sock"))
    (folder / "notes.txt").touch()
    (folder / "notes.sock").touch()
    (folder / "1.sock").mkdir()
    assert list(speakers(root)) == []


@pytest.mark.security("S27")
def test_a_folder_that_others_may_enter_is_refused(root):
    folder = control_socket(state_folder(root)).parent
    folder.chmod(0o755)
    with pytest.raises(StartError, match="open to other users"):
        list(speakers(root))


def test_the_socket_of_a_project_with_a_long_path_lies_elsewhere_in_a_folder_of_its_own(root, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(root))
    deep = root / ("long" * 20)
    deep.mkdir()
    state = state_folder(deep)
    path = control_socket(state)
    assert len(os.fsencode(path)) <= LONGEST_SOCKET
    assert path.parent.parent == root
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert control_folder(deep / "other") != path.parent
    with answering(deep, b'{"done":1}\n'):
        assert list(ask_all(deep, Request("plan"), nothing).values()) == [1]


def test_the_plan_that_runs_is_told_and_one_of_another_file_is_not(root):
    answer = msgspec.json.encode({"done": msgspec.to_builtins(a_plan(root))}) + b"\n"
    with answering(root, answer):
        assert running_plan(root, root / "x" / ".." / "p.yaml") == a_plan(root)
    control_socket(state_folder(root)).unlink()
    with answering(root, answer):
        assert running_plan(root, root / "other.yaml") is None


def test_one_that_hangs_or_ends_is_not_waited_for_where_only_its_plan_is_wanted(root, monkeypatch):
    monkeypatch.setattr("pipeline.control.CONNECT_SECONDS", 0.1)
    path = control_socket(state_folder(root))
    with socket.socket(socket.AF_UNIX) as frozen:
        frozen.bind(str(path))
        frozen.listen()
        assert running_plan(root) is None


def test_a_speaker_knows_whose_socket_it_is(root):
    with answering(root, b'{"done":1}\n', pid=77):
        (speaker,) = speakers(root)
        assert speaker.pid == 77
        assert speaker.ask(Request("plan"), nothing) == 1
    assert isinstance(speaker, Speaker)
