#!lua flags=allow-oom
-- Set how many processes a person wants instead of the file, as JSON; '' lets the file count again.
-- Returns whether a person's number counted until now.
local queue = unpack(KEYS)
local scale = unpack(ARGV)

if scale == '' then return redis.call('HDEL', queue .. ':meta', 'scale') end
return 1 - redis.call('HSET', queue .. ':meta', 'scale', scale)
