-- Delayed jobs that are due become takeable, at most 250 a call, each level's in the order of their times. Needs lanes.
local function promote(queue, time)
  local due = redis.call('ZRANGEBYSCORE', queue .. ':delayed', '-inf', time, 'LIMIT', 0, 250)
  if #due == 0 then return end
  redis.call('ZREM', queue .. ':delayed', unpack(due))
  if redis.call('EXISTS', queue .. ':levelof') == 0 then return arrive(queue, time, '0', due, false) end
  local levels = redis.call('HMGET', queue .. ':levelof', unpack(due))
  redis.call('HDEL', queue .. ':levelof', unpack(due))
  local by_level = {}
  for i = 1, #due do
    local level = levels[i] or '0'
    by_level[level] = by_level[level] or {}
    table.insert(by_level[level], due[i])
  end
  for level, ids in pairs(by_level) do arrive(queue, time, level, ids, false) end
end
