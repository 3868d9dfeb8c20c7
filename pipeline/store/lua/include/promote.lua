-- Delayed jobs that are due become takeable, at most 100 a call. Needs put.
local function promote(queue, time)
  local due = redis.call('ZRANGEBYSCORE', queue .. ':delayed', '-inf', time, 'LIMIT', 0, 100)
  if #due == 0 then return end
  redis.call('ZREM', queue .. ':delayed', unpack(due))
  local levels = {}
  if redis.call('EXISTS', queue .. ':levelof') == 1 then
    levels = redis.call('HMGET', queue .. ':levelof', unpack(due))
    redis.call('HDEL', queue .. ':levelof', unpack(due))
  end
  for i = 1, #due do
    put(queue, levels[i] or '0', { due[i] }, false)
  end
end
