-- At most 250 delayed jobs that are due, in the order of their times. Those of one millisecond come by their letters, 10
-- before 9: ids of ours shall come as they were given.
local function due_by(queue, time)
  local found = redis.call('ZRANGEBYSCORE', queue .. ':delayed', '-inf', time, 'WITHSCORES', 'LIMIT', 0, 250)
  local due, at, mixed = {}, {}, false
  for i = 1, #found, 2 do
    local id, before = found[i], due[#due]
    due[#due + 1], at[id] = id, tonumber(found[i + 1])
    mixed = mixed or (before and at[before] == at[id] and #before > #id)
  end
  if mixed then
    table.sort(due, function(a, b)
      if at[a] ~= at[b] then return at[a] < at[b] end
      if #a ~= #b then return #a < #b end
      return a < b
    end)
  end
  return due
end

-- Delayed jobs that are due become takeable, at most 250 a call, each level's in the order of their times. Needs lanes.
local function promote(queue, time)
  local due = due_by(queue, time)
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
