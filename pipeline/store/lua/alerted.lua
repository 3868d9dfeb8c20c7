#!lua flags=allow-oom
-- An alert about `what` was sent, and told of `value` (see alert). Returns nothing.
-- include now
local queue = unpack(KEYS)
local what, value = unpack(ARGV)

redis.call('HSET', queue .. ':alerts', what, string.format('%d %d 0', value, now()))
