-- How many jobs wait; entries to skip are not counted.
local function waiting(queue)
  local count = redis.call('LLEN', queue .. ':alone') + (redis.call('ZSCORE', queue .. ':lane_sizes', '') or 0)
  local levels = redis.call('ZRANGE', queue .. ':levels', 0, -1)
  for i = 1, #levels do count = count + redis.call('LLEN', queue .. ':wait:' .. levels[i]) end
  local stale = redis.call('HVALS', queue .. ':stale')
  for i = 1, #stale do count = count - stale[i] end
  return count
end
