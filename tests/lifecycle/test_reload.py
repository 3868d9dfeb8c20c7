"""Edits of the file while it runs: what is applied, how, and what stays as it was."""

from __future__ import annotations

import json
import signal
import time


def one(concurrency: int = 1, more: str = "") -> str:
    return f"queues:\n  a: {{handler: 'hands:work', concurrency: {concurrency}{more}}}\n"


def pids(written):
    return {event.pid for event in written.events("begin")}


# --- hot -----------------------------------------------------------------------------------------------------


def test_an_edit_is_noticed_and_reaches_running_workers_without_touching_a_process(written):
    run = written.up(one(1))
    written.enqueue("a", *[{"seconds": 30}] * 5)
    written.sees("begin", 1)
    saved = time.monotonic()
    written.write(one(5))
    written.sees("begin", 5)
    assert time.monotonic() - saved < 3.5
    assert len(pids(written)) == 1
    run.signal(signal.SIGKILL)


def test_reload_waits_until_the_workers_go_by_the_file_and_says_what_changed(written):
    run = written.up(one(1))
    written.enqueue("a", *[{"seconds": 30}] * 3)
    written.sees("begin", 1)
    told = written.reload(one(3))
    assert told.returncode == 0
    assert "queues.a.concurrency" in told.stderr
    assert "generation 2 runs: 1 change" in told.stdout
    written.sees("begin", 3, seconds=1.0)
    run.signal(signal.SIGKILL)


def test_a_job_that_runs_goes_by_the_retry_policy_in_force_when_it_fails(written):
    run = written.up("queues:\n  a: {handler: 'hands:fail_late', retry: {attempts: 1}}\n")
    (id,) = written.enqueue("a", {"seconds": 1.0})
    written.sees("begin")
    assert (
        written.reload("queues:\n  a: {handler: 'hands:fail_late', retry: {attempts: 3}}\n").returncode == 0
    )
    assert [event.attempt for event in written.sees("begin", 3)] == [1, 2, 3]
    written.eventually(lambda: id in written.dead("a"), "the job is dead")
    assert run.stop() == 0


def test_a_saved_file_that_means_the_same_is_no_new_generation(written):
    run = written.up(one(4))
    told = written.reload("# a comment\n" + one(4))
    assert told.returncode == 0
    assert "unchanged" in told.stdout
    assert written.generation() == 1
    assert run.stop() == 0


def test_more_and_fewer_processes_are_workers_that_are_added_and_drained(written):
    run = written.up(one(1))
    assert written.reload(one(1, ", processes: 3")).returncode == 0
    written.enqueue("a", *[{"seconds": 0.6}] * 3)
    written.sees("begin", 3, seconds=2.0)
    assert len(pids(written)) == 3
    assert written.reload(one(1)).returncode == 0
    written.eventually(lambda: len(run.children()) == 1, "two workers have left")
    assert len(written.sees("end", 3)) == 3
    assert run.stop() == 0


# --- rolling -------------------------------------------------------------------------------------------------


def test_another_handler_is_proven_first_and_then_old_workers_end_their_jobs(written):
    run = written.up(one(2))
    written.enqueue("a", {"seconds": 1.5})
    (begun,) = written.sees("begin")
    assert written.reload("queues:\n  a: {handler: 'hands:other', concurrency: 2}\n").returncode == 0
    written.enqueue("a", {})
    (other,) = written.sees("other", seconds=2.0)
    assert other.pid != begun.pid
    assert [event.pid for event in written.sees("end")] == [begun.pid]
    assert written.stats("a").get("reruns", 0) == 0
    assert run.stop() == 0


def test_a_handler_that_cannot_be_imported_changes_nothing(written):
    run = written.up(one(2))
    before = run.children()
    told = written.reload("queues:\n  a: {handler: 'hands:nowhere', concurrency: 7}\n")
    assert told.returncode == 1
    assert "hands:nowhere" in told.stderr
    assert (written.generation(), written.policy("a").concurrency) == (1, 2)
    assert run.children() == before
    assert written.eventually(lambda: written.records()[0].state == "stale", "it says that it is STALE")
    written.enqueue("a", {})
    written.sees("end")
    assert run.stop() == 0


# --- restart -------------------------------------------------------------------------------------------------


def test_a_change_that_needs_a_restart_is_refused_as_a_whole(written):
    run = written.up(one(2))
    text = written.head.replace("name: test", "name: other") + one(9)
    written.file.write_text(text)
    told = written.pipeline("reload")
    assert told.returncode == 4
    assert "name" in told.stderr
    assert written.policy("a").concurrency == 2
    assert run.stop() == 0


# --- files that are not right --------------------------------------------------------------------------------


def test_a_broken_file_keeps_the_old_one_running_and_says_so_until_it_is_mended(written):
    run = written.up(one(2))
    written.write("queues:\n  a: {handler: 'hands:work', concurency: 3}\n")
    run.says("P101")
    (record,) = written.eventually(
        lambda: [one for one in written.records() if one.state == "stale"], "it is STALE"
    )
    assert "P101" in record.reason
    written.write(one(2))
    written.eventually(lambda: written.records()[0].state == "ready", "it is in order again")
    assert written.generation() == 1
    assert run.output.count("P101") == 1
    assert run.stop() == 0


def test_a_file_that_is_emptied_and_written_again_is_applied_once_it_is_whole(written):
    run = written.up(one(1))
    with written.file.open("w") as file:
        file.flush()
        time.sleep(0.05)
        file.write(written.head)
        file.flush()
        time.sleep(0.05)
        file.write(one(6))
    written.eventually(lambda: written.policy("a").concurrency == 6, "the new file is applied")
    assert "NOT applied" not in run.output
    assert run.stop() == 0


def test_ten_saves_in_a_second_end_with_the_last_one(written):
    run = written.up(one(1))
    for concurrency in range(2, 12):
        written.write(one(concurrency))
        time.sleep(0.1)
    written.eventually(lambda: written.policy("a").concurrency == 11, "the last one is applied")
    assert written.generation() <= 4
    assert run.stop() == 0


def test_a_mounted_config_that_is_swapped_by_its_link_is_noticed(written):
    first, second = written.root / "..v1", written.root / "..v2"
    for folder, concurrency in ((first, 1), (second, 8)):
        folder.mkdir()
        (folder / "p.yaml").write_text(written.head + one(concurrency))
    (written.root / "..data").symlink_to(first.name)
    written.file.symlink_to("..data/p.yaml")
    run = written.run()
    written.eventually(written.pools_run, "it runs")
    (written.root / "..next").symlink_to(second.name)
    (written.root / "..next").rename(written.root / "..data")
    written.eventually(lambda: written.policy("a").concurrency == 8, "the new link is followed")
    assert run.stop() == 0


def test_a_file_that_is_gone_for_a_while_stops_nothing(written):
    run = written.up(one(1))
    written.file.unlink()
    run.says("cannot read")
    written.enqueue("a", {})
    written.sees("end")
    written.write(one(3))
    written.eventually(lambda: written.generation() == 2, "the file is back")
    assert run.stop() == 0


# --- queues that come and go ---------------------------------------------------------------------------------


def test_a_queue_that_is_added_runs_and_one_that_is_removed_keeps_its_jobs(written):
    both = "queues:\n  a: {handler: 'hands:work'}\n  b: {handler: 'hands:work', concurrency: 1}\n"
    run = written.up(one(10))
    assert written.reload(both).returncode == 0
    written.enqueue("b", {"seconds": 1.0}, {}, {})
    written.sees("begin")
    assert written.reload(one(10)).returncode == 0
    assert len(written.sees("end")) == 1
    refused = written.pipeline("enqueue", "b", "job", "{}")
    assert refused.returncode == 1
    told = json.loads(written.pipeline("status", "--json").stdout)
    assert (told["queues"]["b"]["waiting"], told["queues"]["b"]["in_file"]) == (2, False)
    assert written.reload(both).returncode == 0
    written.sees("end", 3)
    assert run.stop() == 0


# --- signals, new code, older generations ---------------------------------------------------------------------


def test_sighup_reloads_and_usr2_brings_new_code_one_worker_at_a_time(written):
    written.head = written.head.replace("10s", "10s, reload: {watch: false}")
    run = written.up(one(1, ", processes: 2"))
    before = {child.pid for child in written.records()[0].workers}
    written.write(one(4, ", processes: 2"))
    run.signal(signal.SIGHUP)
    written.eventually(lambda: written.policy("a").concurrency == 4, "HUP reloads")
    hands = written.root / "hands.py"
    hands.write_text(hands.read_text() + "\n# new code\n")
    run.signal(signal.SIGUSR2)
    written.eventually(
        lambda: len(now := {one.pid for one in written.records()[0].workers}) == 2 and not now & before,
        "both workers are new",
    )
    codes = {one.code for one in written.records()[0].workers}
    assert len(codes) == 1
    assert run.stop() == 0


def test_new_code_that_cannot_be_imported_leaves_the_old_workers(written):
    run = written.up(one(1))
    before = run.children()
    hands = written.root / "hands.py"
    good = hands.read_text()
    hands.write_text(good + "\nraise RuntimeError('broken on purpose')\n")
    told = written.pipeline("restart")
    assert told.returncode == 1
    assert "broken on purpose" in told.stderr
    assert run.children() == before
    hands.write_text(good)
    assert written.pipeline("restart", "a").returncode == 0
    written.eventually(lambda: not set(before) & set(run.children()), "a new worker runs")
    assert run.stop() == 0


def test_rollback_applies_an_older_generation_and_holds_the_file_until_it_changes(written):
    run = written.up(one(1))
    assert written.reload(one(5)).returncode == 0
    told = written.pipeline("rollback")
    assert told.returncode == 0, told.stderr
    assert (written.generation(), written.policy("a").concurrency) == (3, 1)
    (record,) = written.eventually(lambda: [one for one in written.records() if one.held], "it is held")
    assert "rolled back" in record.reason
    time.sleep(2.5)  # the watcher looks every 2 s: the file as it is must not come back
    assert written.policy("a").concurrency == 1
    written.write(one(7))
    written.eventually(lambda: written.policy("a").concurrency == 7, "a changed file counts again")
    assert not written.records()[0].held or written.eventually(lambda: not written.records()[0].held, "free")
    assert run.stop() == 0


def test_reload_compares_the_generation_that_a_person_saw(written):
    written.head = written.head.replace("10s", "10s, reload: {watch: false}")
    run = written.up(one(1))
    written.write(one(2))
    told = written.pipeline("reload", "--if-generation", "7")
    assert told.returncode == 1
    assert "generation 1 runs, not 7" in told.stderr
    assert written.pipeline("reload", "--if-generation", "1").returncode == 0
    assert run.stop() == 0


def test_stop_ends_the_supervisor_and_says_so(written):
    run = written.up(one(1))
    told = written.pipeline("stop")
    assert told.returncode == 0
    assert "has stopped" in told.stdout
    assert run.ends() == 0
    again = written.pipeline("stop")
    assert again.returncode == 1
    assert "no supervisor runs" in again.stderr


def test_nothing_listens_after_a_supervisor_was_killed(written):
    run = written.up(one(1))
    run.signal(signal.SIGKILL)
    run.ends()
    assert list((written.root / ".pipeline" / "control").iterdir())
    assert "no supervisor runs" in written.pipeline("reload").stderr
