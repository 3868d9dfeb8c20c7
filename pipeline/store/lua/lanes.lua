-- The lanes of a queue that most jobs wait in. Returns {time, then for each {name,
-- waiting, let in, not taken of them, held until, looked at again}}.
-- include now
local queue = unpack(KEYS)
local count = unpack(ARGV)

local fullest = redis.call('ZREVRANGE', queue .. ':lane_sizes', 0, count, 'WITHSCORES')
local found = { now() }
for i = 1, #fullest, 2 do
  local lane = fullest[i]
  if lane ~= '' then
    found[#found + 1] = {
      lane,
      fullest[i + 1],
      redis.call('HGET', queue .. ':lane_in', lane),
      redis.call('HGET', queue .. ':lane_listed', lane),
      redis.call('HGET', queue .. ':lane_held', lane),
      redis.call('ZSCORE', queue .. ':lane_opens', lane),
    }
  end
end
return found
