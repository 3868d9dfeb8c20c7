-- Since and until when: a hold does not shorten the one before.
local function held_from(before, time, delay)
  local ends = string.match(before or '', ' (%d+)$') or 0
  return string.format('%d %d', time, math.max(ends, time + delay))
end

-- A handler said that nothing of this lane (nil: of the whole queue) may start for `delay` ms. Needs lanes.
local function keep_back(queue, lane, time, delay)
  if lane then
    redis.call('HSET', queue .. ':lane_held', lane, held_from(redis.call('HGET', queue .. ':lane_held', lane), time, delay))
    return lane_later(queue, lane, time + delay)
  end
  redis.call('HSET', queue .. ':meta', 'held', held_from(redis.call('HGET', queue .. ':meta', 'held'), time, delay))
end
