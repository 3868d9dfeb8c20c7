#!lua flags=allow-oom
-- Withdraw a job that waits or is delayed. Returns the state it was in; only those two were cancelled.
-- include now
-- include where
-- include withdraw
-- include unlock
local queue = unpack(KEYS)
local id, level, key, keep, outcome = unpack(ARGV)

local state = where(queue, id)
if state ~= 'waiting' and state ~= 'delayed' then return state end
local time = now()
withdraw(queue, state, id, level)
redis.call('HSET', queue .. ':outcomes', id, outcome)
redis.call('ZADD', queue .. ':cancelled', time, id)
redis.call('HINCRBY', queue .. ':stats', 'cancelled', 1)
unlock(queue, time, id, key, keep)
return state
