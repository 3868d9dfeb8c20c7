#!lua flags=allow-oom
-- Withdraw a job that waits or is delayed. One that is active is cancelled as soon as it leaves its lease without having
-- ended, and its worker is told to stop it. Returns the state it was in.
-- include now
-- include tell
-- include where
-- include level_of
-- include withdraw
-- include unlock
local queue = unpack(KEYS)
local id, level, key, keep, outcome = unpack(ARGV)

local state, worker = where(queue, id)
if state == 'active' then
  redis.call('HSET', queue .. ':stops', id, cjson.encode({ outcome, key, keep }))
  local lease = redis.call('HGET', queue .. ':active:' .. worker, id)
  redis.call('RPUSH', queue .. ':inbox:' .. worker, '! ' .. lease .. ' ' .. id)
end
if state ~= 'waiting' and state ~= 'delayed' then return state end
local time = now()
withdraw(queue, state, id, level)
redis.call('HSET', queue .. ':outcomes', id, outcome)
redis.call('ZADD', queue .. ':cancelled', time, id)
redis.call('HINCRBY', queue .. ':stats', 'cancelled', 1)
unlock(queue, time, id, key, keep)
tell(queue, redis.call('HGET', queue .. ':meta', 'watched'), 'cancelled', { id })
return state
