"""One supervisor for each queue of a project, and a state folder that is ours."""

from __future__ import annotations

import json
import os

import pytest

from pipeline.errors import StartError
from pipeline.state import announce, open_private, private_folder, socket_path, state_folder, withdraw
from pipeline.supervisor.locks import QueueLocks


def locks_on(state, *queues):
    locks = QueueLocks(state)
    locks.hold(queues)
    return locks


def test_a_queue_is_held_once_and_the_refusal_names_who_holds_it(root):
    state = state_folder(root)
    first = locks_on(state, "a", "b")
    with pytest.raises(StartError, match=f"process {os.getpid()} .*queues a, b") as refused:
        locks_on(state, "b", "c")
    assert refused.value.exit_code == 13
    others = locks_on(state, "c")
    first.keep(())
    others.keep(())
    locks_on(state, "a", "b", "c").keep(())


def test_a_refusal_keeps_what_was_held_and_frees_what_was_not(root):
    state = state_folder(root)
    ours, theirs = locks_on(state, "a"), locks_on(state, "c")
    with pytest.raises(StartError):
        ours.hold(["b", "c"])
    with pytest.raises(StartError):
        locks_on(state, "a")
    locks_on(state, "b").keep(())
    ours.keep({"a"})
    theirs.keep(())
    ours.hold(["c"])
    with pytest.raises(StartError, match="queues a, c"):
        locks_on(state, "c")


def test_the_state_folder_is_for_its_owner_only(root):
    assert state_folder(root).stat().st_mode & 0o777 == 0o700


def test_a_state_folder_that_others_can_enter_is_refused(root):
    (root / ".pipeline").mkdir(mode=0o755)
    with pytest.raises(StartError, match="open to other users"):
        state_folder(root)


@pytest.mark.security("S27")
def test_a_state_folder_that_is_a_symlink_is_refused(root):
    (root / "elsewhere").mkdir(mode=0o700)
    (root / ".pipeline").symlink_to(root / "elsewhere")
    with pytest.raises(StartError, match="not a folder of its own"):
        state_folder(root)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_state_folder_of_another_user_is_refused(root):
    (root / ".pipeline").mkdir(mode=0o700)
    os.chown(root / ".pipeline", 12345, -1)
    with pytest.raises(StartError, match="another user"):
        state_folder(root)


@pytest.mark.security("S27")
def test_a_lock_that_is_a_symlink_is_not_followed(root):
    state = state_folder(root)
    private_folder(state / "locks")
    (state / "locks" / "a.lock").symlink_to(root / "victim")
    with pytest.raises(StartError):
        locks_on(state, "a")
    assert not (root / "victim").exists()


def test_what_runs_is_written_down_and_removed_only_by_who_wrote_it(root, plan):
    state = state_folder(root)
    record = announce(state, plan, ["a"])
    written = json.loads((state / "supervisor.json").read_text())
    assert (written["file"], written["pid"], written["queues"]) == (plan.file, os.getpid(), ["a"])
    os.close(open_private(state / "supervisor.json"))
    (state / "supervisor.json").write_text('{"file": "other", "pid": 1, "queues": [], "started_at": 0}')
    withdraw(state, record)
    assert (state / "supervisor.json").exists()
    withdraw(state, announce(state, plan, ["a"]))
    assert not (state / "supervisor.json").exists()


def test_a_long_path_gets_a_short_socket(root):
    assert socket_path(root) == root / "broker.sock"
    long = root / ("x" * 100)
    assert len(os.fsencode(socket_path(long))) <= 100
    assert socket_path(long) == socket_path(long)
    assert socket_path(long) != socket_path(root / ("y" * 100))
