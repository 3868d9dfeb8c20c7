#!lua flags=allow-oom
-- The server's clock went back: no lease holds for longer than `lease` ms from now. Returns how many were cut.
-- include now
local queue = unpack(KEYS)
local lease = unpack(ARGV)

local latest = now() + lease
local late = redis.call('ZRANGEBYSCORE', queue .. ':workers', '(' .. string.format('%d', latest), '+inf')
for i = 1, #late do redis.call('ZADD', queue .. ':workers', latest, late[i]) end
return #late
