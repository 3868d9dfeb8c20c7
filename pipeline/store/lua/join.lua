#!lua flags=allow-oom
-- A worker begins: its lease holds for `lease` ms. Returns the server's time.
-- include now
local queue = unpack(KEYS)
local worker, lease = unpack(ARGV)

local time = now()
redis.call('ZADD', queue .. ':workers', time + lease, worker)
redis.call('HSETNX', queue .. ':turns', worker, 0)
-- A hash of short values is a list inside the server, and searched from end to end; one long value makes it a
-- table. The field '' is no job's id.
local pad = string.rep(' ', 100)
redis.call('HSET', queue .. ':active:' .. worker, '', pad)
redis.call('HSET', queue .. ':outcomes', '', pad)
return time
