#!lua flags=allow-oom
-- Pause a schedule (`by` says who), or with '' let it go on: what it had fired meanwhile is left out. Returns whether it
-- ran until now, or whether it stood still; nil when the queue has no such schedule.
-- include now
local queue = unpack(KEYS)
local name, by = unpack(ARGV)

local schedules = queue .. ':schedules'
if redis.call('HEXISTS', schedules, name .. ':after') == 0 then return nil end
if by ~= '' then return redis.call('HSET', schedules, name .. ':paused', by) end
local paused = redis.call('HDEL', schedules, name .. ':paused')
if paused == 1 then redis.call('HSET', schedules, name .. ':after', string.format('%d', now())) end
return paused
