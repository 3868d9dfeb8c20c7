#!lua flags=allow-oom
-- Somebody watches the queue for another `ms`: what happens is written to its stream until then.
-- Returns the id of the last event so far.
-- include now
local queue = unpack(KEYS)
local ms = unpack(ARGV)

redis.call('HSET', queue .. ':meta', 'watched', string.format('%d', now() + ms))
redis.call('PEXPIRE', queue .. ':events', 60000)
local last = redis.call('XREVRANGE', queue .. ':events', '+', '-', 'COUNT', 1)[1]
return last and last[1] or '0-0'
