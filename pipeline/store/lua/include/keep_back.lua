-- A handler said that nothing of this lane (nil: of the whole queue) may start for `delay` ms. Needs lanes.
local function keep_back(queue, lane, time, delay)
  if lane then
    local ends = math.max(redis.call('HGET', queue .. ':lane_held', lane) or 0, time + delay)
    redis.call('HSET', queue .. ':lane_held', lane, string.format('%d', ends))
    return lane_later(queue, lane, ends)
  end
  local ends = string.match(redis.call('HGET', queue .. ':meta', 'held') or '', ' (%d+)$') or 0
  redis.call('HSET', queue .. ':meta', 'held', string.format('%d %d', time, math.max(ends, time + delay)))
end
