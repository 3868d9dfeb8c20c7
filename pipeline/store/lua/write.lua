#!lua flags=allow-oom
-- One write of a supervisor's own, which must go on when the broker's memory is full. Returns the command's reply.
local key = unpack(KEYS)
local command = unpack(ARGV)
-- rest: what the command takes behind its key

return redis.call(command, key, unpack(ARGV, 2))
