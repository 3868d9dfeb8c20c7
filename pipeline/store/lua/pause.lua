#!lua flags=allow-oom
-- Stop a queue for everyone, or let it go on. Returns whether that changed anything.
-- include wake
local queue = unpack(KEYS)
local paused, by = unpack(ARGV)

if paused == '' then
  local changed = redis.call('HDEL', queue .. ':meta', 'paused')
  wake(queue, 1000)
  return changed
end
return redis.call('HSETNX', queue .. ':meta', 'paused', by)
