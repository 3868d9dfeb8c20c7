#!lua flags=allow-oom
-- Keep a running job's progress (JSON) or one line of its log, 100 lines at most. Returns 1, or 0 when
-- the lease is not held any more, which is counted.
local queue = unpack(KEYS)
local worker, id, lease, progress, line = unpack(ARGV)

if redis.call('HGET', queue .. ':active:' .. worker, id) ~= lease then
  redis.call('HINCRBY', queue .. ':stats', 'lost_leases', 1)
  return 0
end
if progress ~= '' then
  redis.call('HSET', queue .. ':notes', id, progress)
else
  redis.call('HSETNX', queue .. ':notes', id, '')
  redis.call('RPUSH', queue .. ':logs:' .. id, line)
  redis.call('LTRIM', queue .. ':logs:' .. id, -100, -1)
end
return 1
