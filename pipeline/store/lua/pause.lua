#!lua flags=allow-oom
-- Stop a queue for everyone, or let it go on, also when a handler put it or lanes of it on hold. The newest pause
-- counts. Returns whether the queue ran until now, or whether it stood still.
-- include now
-- include wake
local queue = unpack(KEYS)
local paused, by = unpack(ARGV)

if paused == '' then
  local changed = redis.call('HDEL', queue .. ':meta', 'paused')
  redis.call('HDEL', queue .. ':meta', 'held')
  for _, lane in ipairs(redis.call('HKEYS', queue .. ':lane_held')) do
    redis.call('ZADD', queue .. ':lane_opens', now(), lane)
  end
  redis.call('DEL', queue .. ':lane_held')
  wake(queue, 1000)
  return changed
end
return redis.call('HSET', queue .. ':meta', 'paused', by)
