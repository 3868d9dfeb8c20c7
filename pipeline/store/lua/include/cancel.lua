-- Withdraw a job that waits or is delayed; one that is active is told to stop, and is cancelled as soon as it leaves its
-- lease without having ended. Returns the state it was in. Needs tell, where, withdraw and unlock.
local function cancel(queue, time, id, level, key, keep, outcome)
  local state, worker = where(queue, id)
  if state == 'active' then
    redis.call('HSET', queue .. ':stops', id, cjson.encode({ outcome, key, keep }))
    local lease = redis.call('HGET', queue .. ':active:' .. worker, id)
    redis.call('RPUSH', queue .. ':inbox:' .. worker, '! ' .. lease .. ' ' .. id)
  end
  if state ~= 'waiting' and state ~= 'delayed' then return state end
  withdraw(queue, time, state, id, level)
  redis.call('HSET', queue .. ':outcomes', id, outcome)
  redis.call('ZADD', queue .. ':cancelled', time, id)
  redis.call('HINCRBY', queue .. ':stats', 'cancelled', 1)
  unlock(queue, time, id, key, keep)
  tell(queue, redis.call('HGET', queue .. ':meta', 'watched'), 'cancelled', { id })
  return state
end
