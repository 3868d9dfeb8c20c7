-- Job `id` waits, and its lane knows it as `laned` (see lanes): it goes on at another level, or to the front. Who was let
-- in stays so, and is listed anew; the others keep their place, which in strict order counts alone. Needs lanes.
local function shift(queue, time, id, laned, level, front)
  if is_in(laned) then
    local mark = string.sub(laned, 4) .. ':' .. id
    redis.call('HINCRBY', queue .. ':stale', mark, 1)
    redis.call('HDEL', queue .. ':ahead', mark)
    redis.call('HSET', queue .. ':laned', id, 'in ' .. level)
    put(queue, level, { id }, front)
    return wake(queue, 1)
  end
  local place = string.match(laned, '^%d+')
  if front then place = string.format('%016d', 4e15 - redis.call('INCR', queue .. ':lane_place')) end
  local waits = queue .. ':lane:' .. redis.call('HGET', queue .. ':lane_of', id)
  local member = place .. ' ' .. level .. ' ' .. id
  redis.call('ZREM', waits, laned)
  redis.call('ZADD', waits, open_lanes_of(queue, time).strict and 0 or -level, member)
  redis.call('HSET', queue .. ':laned', id, member)
end
