#!lua flags=allow-oom
-- Close a queue that a generation does not have any more: its jobs stay, and new ones are refused.
-- Returns 1 when it was open until now.
-- include wake
local queue = unpack(KEYS)
local generation = unpack(ARGV)

local meta = redis.call('HMGET', queue .. ':meta', 'generation', 'removed')
if meta[2] or tonumber(generation) < tonumber(meta[1] or 0) then return 0 end
redis.call('HSET', queue .. ':meta', 'generation', generation, 'removed', generation)
redis.call('HDEL', queue .. ':meta', 'policy', 'limited', 'rate', 'held')
-- A limit ends with it: what waited for room may be taken.
wake(queue, 1000)
return 1
