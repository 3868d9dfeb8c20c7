#!lua flags=allow-oom
-- A worker is no more: remove its name. Returns 1, or 0 while it holds jobs.
local queue = unpack(KEYS)
local worker = unpack(ARGV)

if redis.call('HLEN', queue .. ':active:' .. worker) > 1 then return 0 end
redis.call('DEL', queue .. ':active:' .. worker)
redis.call('ZREM', queue .. ':workers', worker)
redis.call('HDEL', queue .. ':turns', worker)
redis.call('SREM', queue .. ':idle', worker)
redis.call('DEL', queue .. ':inbox:' .. worker)
return 1
