-- Since and until when: a hold does not shorten the one before. One of the future is that of a clock that went back.
local function held_from(before, time, delay)
  local since, ends = string.match(before or '', '^(%d+) (%d+)$')
  if not since or tonumber(since) > time then ends = 0 end
  return string.format('%d %d', time, math.max(ends, time + delay))
end

-- A handler said that nothing of this lane (nil: of the whole queue) may start for `delay` ms. Needs lanes.
local function keep_back(queue, lane, time, delay)
  if lane then
    local before = redis.call('HGET', queue .. ':lane_held', lane)
    redis.call('HSET', queue .. ':lane_held', lane, held_from(before, time, delay))
    return lane_later(queue, lane, time + delay)
  end
  redis.call('HSET', queue .. ':meta', 'held', held_from(redis.call('HGET', queue .. ':meta', 'held'), time, delay))
end
