#!lua flags=allow-oom
-- What was reserved under `lease` starts only now: in the window of the rate limit it counts from now on (see window).
-- Returns whether it still counted at all.
-- include now
local queue = unpack(KEYS)
local lease = unpack(ARGV)

local per = string.match(redis.call('HGET', queue .. ':meta', 'rate') or '', ' (%d+)$')
if not per or not redis.call('ZSCORE', queue .. ':starts', lease) then return 0 end
redis.call('ZADD', queue .. ':starts', now(), lease)
redis.call('PEXPIRE', queue .. ':starts', per)
redis.call('PEXPIRE', queue .. ':started', per)
return 1
