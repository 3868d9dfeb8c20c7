"""Rules of the product, each broken on purpose in one place, and the tests that must notice."""

from __future__ import annotations

from typing import NamedTuple


class Defect(NamedTuple):
    """`old` stands once in `file` and becomes `new`; each of `tests` must fail then."""

    file: str
    old: str
    new: str
    tests: tuple[str, ...]


LUA, TURN = "pipeline/store/lua", "tests/store/lua/test_turn.py"
SCHEDULES = "tests/store/lua/test_schedules.py"
FOUND = "tests/topology/test_discovery.py"
KILL, SILENCE = "tests/lifecycle/test_kill.py", "tests/lifecycle/test_silence.py"

DEFECTS = {
    "a completed job is settled whoever holds it": Defect(
        f"{LUA}/include/complete.lua",
        "if held[place] ~= lease then",
        "if false then",
        (
            f"{TURN}::test_a_job_under_another_lease_is_refused_counted_and_its_outcome_not_stored",
            f"{TURN}::test_a_job_that_another_worker_holds_is_refused",
        ),
    ),
    "a move is carried out whoever holds the job": Defect(
        f"{LUA}/include/settle.lua",
        "if redis.call('HGET', active, id) ~= lease then",
        "if false then",
        (f"{TURN}::test_a_move_under_another_lease_is_refused_and_changes_nothing_else",),
    ),
    "a note is kept whoever holds the job": Defect(
        f"{LUA}/note.lua",
        "if redis.call('HGET', queue .. ':active:' .. worker, id) ~= lease then",
        "if false then",
        (
            f"{TURN}::test_a_note_of_one_that_lost_the_lease_is_not_kept_but_counted",
            "tests/worker/test_pool.py::test_a_plain_handler_is_told_by_its_next_note",
        ),
    ),
    "a turn is carried out twice": Defect(
        f"{LUA}/turn.lua",
        "if tonumber(number) <= tonumber(last) then",
        "if false then",
        (f"{TURN}::test_a_turn_that_was_seen_already_is_refused_whole",),
    ),
    "a worker that was reclaimed may go on": Defect(
        f"{LUA}/expel.lua",
        "if mode ~= 'still' then redis.call('HDEL', queue .. ':turns', worker) end",
        "",
        (
            "tests/store/lua/test_lost_workers.py::test_a_dead_worker_is_expelled_at_once_and_its_turns_are_refused",
        ),
    ),
    "a repeated enqueue adds a job": Defect(
        f"{LUA}/enqueue.lua",
        "if before then",
        "if false then",
        (
            "tests/store/lua/test_enqueue.py::test_a_repeated_call_adds_nothing_and_answers_the_same",
            "tests/test_client.py::test_a_call_that_lost_its_answer_makes_no_second_job",
        ),
    ),
    "a tick is fired by everybody who saw it due": Defect(
        f"{LUA}/fire.lua",
        "if seen[1] ~= after or",
        "if false and",
        (
            f"{SCHEDULES}::test_of_two_who_see_the_same_one_fires",
            "tests/supervisor/test_schedules.py::test_of_two_supervisors_who_look_at_once_one_fires",
        ),
    ),
    "an older generation fires": Defect(
        f"{LUA}/fire.lua",
        "if (meta[1] or '') ~= generation then",
        "if false then",
        (f"{SCHEDULES}::test_only_the_generation_that_runs_fires",),
    ),
    "a fixed time fires twice when the clocks are put back": Defect(
        "pipeline/schedule.py",
        "        if tick > after:",
        "        if True:",
        ("tests/test_schedule.py::test_in_the_second_of_two_equal_hours_a_fixed_time_is_over",),
    ),
    "the id of a caller guards nothing": Defect(
        f"{LUA}/include/accept.lua",
        "if redis.call('HEXISTS', queue .. ':jobs', id) == 1 then return true end",
        "",
        ("tests/test_client.py::test_a_callers_id_is_a_duplicate_the_second_time",),
    ),
    "a full broker refuses turns": Defect(
        f"{LUA}/turn.lua",
        "#!lua flags=allow-oom",
        "#!lua",
        (
            "tests/lifecycle/test_refusing.py::test_a_full_broker_refuses_new_jobs_and_everything_else_goes_on",
        ),
    ),
    "a full broker takes jobs": Defect(
        f"{LUA}/enqueue.lua",
        "-- Store jobs that are alike",
        "#!lua flags=allow-oom\n-- Store jobs that are alike",
        (
            "tests/lifecycle/test_refusing.py::test_a_full_broker_refuses_new_jobs_and_everything_else_goes_on",
        ),
    ),
    "the supervisor renews no lease, as if the worker did": Defect(
        "pipeline/supervisor/upkeep.py",
        "        gone = await run(connection, call)\n",
        "        if all(child.joined for child in children.values()):\n            return\n"
        "        gone = await run(connection, call)\n",
        (f"{SILENCE}::test_a_worker_that_is_busy_for_longer_than_a_lease_keeps_it",),
    ),
    "who overslept goes on": Defect(
        "pipeline/supervisor/pulse.py",
        "            self._on_overslept(slept)",
        "            pass",
        (
            "tests/supervisor/test_pulse.py::test_who_overslept_the_leases_fences_before_it_speaks",
            f"{SILENCE}::test_a_supervisor_that_overslept_its_leases_kills_its_workers_before_it_speaks",
        ),
    ),
    "the end of a lease counts at once after an outage": Defect(
        "pipeline/supervisor/pulse.py",
        "return now - self._since >= lease,",
        "return True,",
        (
            "tests/supervisor/test_pulse.py::test_ends_of_leases_count_once_a_connection_has_stood_for_the_time_of_one",
        ),
    ),
    "nobody notices a turn without an answer": Defect(
        "pipeline/store/silence.py",
        "SILENCE_SECONDS = 5.0",
        "SILENCE_SECONDS = 3_600.0",
        (f"{SILENCE}::test_what_ended_meanwhile_is_told_once_the_way_is_there_again",),
    ),
    "a refused wait is given up": Defect(
        "pipeline/worker/pool.py",
        "    def _woken(self, reply: Reply) -> None:\n        if isinstance(reply, hiredis.ReplyError):\n"
        "            self._link.refused(reply)\n",
        "    def _woken(self, reply: Reply) -> None:\n        if isinstance(reply, hiredis.ReplyError):\n",
        (
            "tests/lifecycle/test_refusing.py::test_a_supervisor_is_not_started_where_it_may_not_do_what_is_needed",
        ),
    ),
    "crashes are not counted": Defect(
        "pipeline/job.py",
        "return Runs(self.attempts, self.crashes + 1, self.errors, self.redriven)",
        "return self",
        (f"{KILL}::test_a_job_that_kills_its_process_three_times_is_dead_and_its_neighbours_are_not",),
    ),
    "the third run is not alone": Defect(
        "pipeline/supervisor/recover.py",
        "    back = way_back(runs, policy.max_crashes)\n    return Move(back,",
        '    return Move("front",',
        (f"{KILL}::test_a_job_runs_alone_at_its_second_crash_so_that_no_neighbour_is_blamed",),
    ),
    "a reclaim wakes nobody": Defect(
        f"{LUA}/reclaim.lua",
        "  wake(queue, moved)\n",
        "",
        ("tests/store/lua/test_lost_workers.py::test_a_reclaim_moves_jobs_and_wakes_whoever_can_take_them",),
    ),
    "a job is handed to a worker whose lease has ended": Defect(
        f"{LUA}/include/hand_over.lua",
        "elseif ends and tonumber(ends) > time then",
        "elseif ends then",
        (
            "tests/store/lua/test_enqueue.py::test_a_worker_whose_lease_has_ended_gets_no_job_and_is_only_woken",
            "tests/store/lua/test_enqueue.py::test_a_hand_over_passes_by_workers_whose_lease_has_ended",
        ),
    ),
    "a worker that stood still begins what it had buffered": Defect(
        "pipeline/worker/pool.py",
        "if not self._sure or moment - self._watch.alive > STALL_SECONDS:",
        "if False:",
        (
            "tests/worker/test_pool.py::test_a_worker_that_stood_still_begins_nothing_that_was_given_to_others",
        ),
    ),
    "what a lost turn told is forgotten": Defect(
        "pipeline/worker/hand.py",
        "again = self._ledger.restore(flight, leases)",
        "again = Page([], [], flight.counters)",
        (f"{SILENCE}::test_what_ended_meanwhile_is_told_once_the_way_is_there_again",),
    ),
    "a loading broker is taken for one that refuses for good": Defect(
        "pipeline/store/refusals.py",
        "    if code in AWAY:\n",
        "    if False:\n",
        ("tests/lifecycle/test_refusing.py::test_a_script_of_somebody_else_that_never_ends_is_waited_for",),
    ),
    "a replica is taken for the primary": Defect(
        "pipeline/store/discover.py",
        'elif reply[0] == b"master":',
        "elif reply:",
        (
            f"{FOUND}::test_the_primary_of_several_hosts_is_found_wherever_it_is",
            f"{FOUND}::test_without_a_primary_every_host_says_why",
        ),
    ),
    "a slot that has moved is not followed": Defect(
        "pipeline/store/slots.py",
        'if word != "MOVED":',
        "if word:",
        (f"{FOUND}::test_a_connection_that_is_open_follows_a_slot_that_moves",),
    ),
    "a script follows a key to where it is moved": Defect(
        "pipeline/store/blocking_cluster.py",
        "        for _ in range(FOLLOWS):",
        """        if str(reply).startswith("ASK "):
            host, _, port = str(reply).split(" ")[2].rpartition(":")
            return self._wire(Node(host, int(port))).call_many([("ASKING",), command])[1]
        for _ in range(FOLLOWS):""",
        (
            "tests/topology/test_moves.py::test_nothing_is_half_done_while_the_keys_of_a_queue_lie_on_two_nodes",
        ),
    ),
    "any node confirms a job": Defect(
        "pipeline/store/slots.py",
        "return command.key",
        "return None",
        ("tests/topology/test_producers.py::test_coroutines_wait_for_the_replica_of_each_node",),
    ),
}
