"""Whose a worker is, by its name."""

from __future__ import annotations

import os
import subprocess

from pipeline.supervisor.host import host_label, host_name, is_alive, is_orphan, new_worker_name


def gone_pid() -> int:
    child = subprocess.Popen(["true"])
    child.wait()
    return child.pid


def test_no_two_workers_have_one_name():
    assert len({new_worker_name() for _ in range(100)}) == 100


def test_our_own_workers_are_no_orphans():
    assert not is_orphan(new_worker_name())


def test_the_worker_of_a_process_that_is_gone_is_an_orphan():
    assert is_orphan(f"{host_name()}:{host_label()}:{gone_pid()}:abc.1")


def test_the_worker_of_an_earlier_process_with_our_pid_is_an_orphan():
    assert is_orphan(f"{host_name()}:{host_label()}:{os.getpid()}:abc.1")


def test_the_worker_of_a_process_that_lives_is_none():
    assert not is_orphan(f"{host_name()}:{host_label()}:{os.getppid()}:abc.1")


def test_of_other_hosts_nothing_is_known():
    assert not is_orphan(f"elsewhere:{host_label()}:{gone_pid()}:abc.1")
    assert not is_orphan(f"{host_name()}:01234567:{gone_pid()}:abc.1")
    assert not is_orphan("odd")


def test_a_process_that_only_waits_to_be_reaped_does_not_live():
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not is_alive(child.pid)
    child.wait()
