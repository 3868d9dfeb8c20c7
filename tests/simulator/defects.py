"""Rules of the scripts, each broken on purpose: a checker that nobody has seen fail is not trusted."""

from __future__ import annotations

from tests.simulator.server import Defect

# What a worker holds and does not know of is noticed in its next turn, whatever led to it.
UNNOTICED = Defect("turn", "if holds ~= '' and", "if false and")
DEFECTS = {
    "a letter that was lost is not noticed": UNNOTICED,
    "the fence of a settled job is gone": Defect(
        "turn reclaim", "if redis.call('HGET', active, id) ~= lease then", "if not lease then"
    ),
    "the fence of completed jobs is gone": Defect("turn", "if held[place] ~= lease then", "if false then"),
    "the fence of notes is gone": Defect(
        "note", "if redis.call('HGET', queue .. ':active:' .. worker, id) ~= lease then", "if false then"
    ),
    "a fence looks at the job only, not at the lease": Defect(
        "turn reclaim",
        "if redis.call('HGET', active, id) ~= lease then",
        "if not redis.call('HGET', active, id) then",
    ),
    "an old turn is carried out": Defect(
        "turn", "if tonumber(number) <= tonumber(last) then", "if false then", UNNOTICED
    ),
    "an old hold is carried out": Defect(
        "hold", "if tonumber(number) <= tonumber(last) then", "if false then", UNNOTICED
    ),
    "a worker that was reclaimed goes on": Defect(
        "turn", "if not last then", "last = last or 0\nif false then", UNNOTICED
    ),
    "a repeated enqueue adds a job": Defect("enqueue", "if before then", "if false then"),
    "an enqueue that comes late adds a job": Defect("enqueue", ">= tonumber(call)", "== tonumber(call)"),
    "a repeated enqueue of own jobs adds one": Defect("enqueue_each", "if before then", "if false then"),
    "a caller's id is taken twice": Defect(
        "enqueue_each", "if redis.call('HEXISTS', queue .. ':jobs', id) == 1 then return true end", ""
    ),
    "a turn does not un-park": Defect("turn", "redis.call('SREM', queue .. ':idle', worker)", ""),
    "an enqueue wakes nobody": Defect(
        "enqueue", "if direct and hand_over(queue, id, ARGV[fixed + 1]) then", "if false then"
    ),
    "the inbox is not read": Defect(
        "turn", "redis.call('LPOP', queue .. ':inbox:' .. worker, 1000) or {}", "{}"
    ),
    "stale entries are run": Defect("turn", "local skip = marked and", "local skip = false and"),
    "resume wakes nobody": Defect("pause", "wake(queue, 1000)", ""),
    "a pause that ends wakes nobody": Defect("overrides", "wake(queue, 1000)", ""),
    "a key until its job is done outlives a purge": Defect("enqueue_each", "if kept or", "if true or"),
    "a removed queue takes jobs": Defect("retract", "'generation', generation, 'removed'", "'removed'"),
    "an old edit removes a queue": Defect("retract", "or tonumber(generation) < tonumber(meta[1] or 0)", ""),
    "a call repeated after the removal is refused": Defect(
        "enqueue", "string.match(redis.call('GET', memory) or '', '^(%d+):(.+)$')", "nil, nil"
    ),
    "a live worker's lease counts as ended": Defect(
        "expel", "(mode == 'lapsed' and tonumber(ends) > now())", "false"
    ),
    "a limit is not kept": Defect("turn", "math.max(limited, 0)", "1000"),
    "a job that ran alone is forgotten": Defect("turn", "redis.call('RPUSH', queue .. ':alone', id)", ""),
    "a clock that went back lets old leases hold": Defect(
        "amend", "redis.call('ZADD', queue .. ':workers', latest, late[i])", ""
    ),
    "a purge forgets to count": Defect(
        "purge", "redis.call('HINCRBY', queue .. ':stats', 'purged', #ids)", ""
    ),
    "a redrive forgets earlier ids": Defect("redrive", "redis.call('HDEL', queue .. ':outcomes', id)", ""),
    "a new policy wakes nobody": Defect("publish", "wake(queue, 1000)", ""),
    "a job that came due stays among the delayed": Defect(
        "turn", "redis.call('ZREM', queue .. ':delayed', unpack(due))", ""
    ),
    "a settled job stays in its lease": Defect("turn reclaim", "      redis.call('HDEL', active, id)\n", ""),
    "a change is made from an older record": Defect(
        "change", "if redis.call('HGET', queue .. ':jobs', id) ~= seen then return { 'changed' } end", ""
    ),
    "a job that runs is changed": Defect("change", "if state == 'active' or", "if"),
    "a job is looked for at its old priority": Defect(
        "cancel remove change", "redis.call('HGET', queue .. ':moved', id) or level", "level"
    ),
    "a job that was moved stays in its old place": Defect(
        "change", "withdraw(queue, time, state, id, was)\n", "\n"
    ),
    "a job that was moved stays in its old place in its lane": Defect(
        "change enqueue_each fire", "redis.call('ZREM', waits, laned)", ""
    ),
    "a job that was let in and moved is known by its old level": Defect(
        "change enqueue_each fire", "redis.call('HSET', queue .. ':laned', id, 'in ' .. level)", ""
    ),
    "a removed job keeps its record": Defect("remove", "    drop(queue, { id })\n", ""),
    "a rate is not kept": Defect("turn", "if free > 0 then return free end", "if true then return 1000 end"),
    "a cancelled job that was given back runs again": Defect(
        "turn reclaim",
        "if stops then move, outcome, key, keep = stopped(queue, id, move, outcome, key, keep) end",
        "",
    ),
    "who leaves a lane lets nobody in": Defect(
        "turn reclaim cancel remove", "let = let + let_in(book, lane, 10)", ""
    ),
    "a lane is wider than it may be": Defect("turn enqueue_each", "lane.inside >= book.max or", ""),
    "a hold of a lane is not heeded": Defect("turn", "if lane and lane.held then", "if false then"),
    "a tick is fired by everybody who saw it due": Defect("fire", "if seen[1] ~= after or", "if false and"),
    "a tick that is skipped is not gone on to": Defect(
        "fire", "redis.call('HSET', schedules, name .. ':after', tick)", ""
    ),
    "a schedule adds a job beside the one before": Defect(
        "fire", "if state and not ended[state] then", "if false then"
    ),
    "a job that is active can be cancelled": Defect(
        "cancel", "if state ~= 'waiting' and state ~= 'delayed' then return state end", ""
    ),
}
