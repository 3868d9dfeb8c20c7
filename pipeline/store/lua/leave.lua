#!lua flags=allow-oom
-- A worker is no more: remove its name. Returns 1, or 0 while it holds jobs.
-- include wake
local queue = unpack(KEYS)
local worker = unpack(ARGV)

if redis.call('HLEN', queue .. ':active:' .. worker) > 1 then return 0 end
redis.call('DEL', queue .. ':active:' .. worker)
redis.call('ZREM', queue .. ':workers', worker)
redis.call('HDEL', queue .. ':turns', worker)
redis.call('SREM', queue .. ':idle', worker)
redis.call('DEL', queue .. ':inbox:' .. worker)
-- It may have been woken for jobs that it never took.
if redis.call('EXISTS', queue .. ':levels') == 1 then wake(queue, 1) end
return 1
