#!lua flags=allow-oom
-- A worker begins: its lease holds for `lease` ms. Returns the server's time.
-- include now
local queue = unpack(KEYS)
local worker, lease = unpack(ARGV)

local time = now()
redis.call('ZADD', queue .. ':workers', time + lease, worker)
redis.call('HSET', queue .. ':turns', worker, 0)
return time
