#!lua flags=allow-oom
-- Stop a queue for everyone, or let it go on, also when a handler put it on hold. The newest pause counts. Returns whether the queue ran until now,
-- or whether it stood still.
-- include wake
local queue = unpack(KEYS)
local paused, by = unpack(ARGV)

if paused == '' then
  local changed = redis.call('HDEL', queue .. ':meta', 'paused')
  redis.call('HDEL', queue .. ':meta', 'held')
  wake(queue, 1000)
  return changed
end
return redis.call('HSET', queue .. ':meta', 'paused', by)
