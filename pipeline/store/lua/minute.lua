#!lua flags=allow-oom
-- Keep the totals of the queue as they are at the first look in each minute, as "minute enqueued completed failed dead
-- cancelled". Where nothing changed nothing is kept. The last 1,440 stay, for a day after the last of them.
-- Returns whether there was anything to keep.
-- include now
local queue = unpack(KEYS)

local minutes, stats = queue .. ':minutes', queue .. ':stats'
local minute = math.floor(now() / 60000)
local last = redis.call('LINDEX', minutes, -1) or ''
local before, figures = string.match(last, '^(%d+) (.+)$')
if before and tonumber(before) >= minute then return 0 end

local totals = redis.call('HMGET', stats, 'gaps', 'own', 'completed', 'failed', 'dead', 'cancelled')
for i = 1, #totals do totals[i] = totals[i] or 0 end
local gaps, own, completed, failed, dead, cancelled = unpack(totals)
local enqueued = (redis.call('GET', queue .. ':last_id') or 0) - gaps + own
local found = string.format('%d %d %d %d %d', enqueued, completed, failed, dead, cancelled)
if found == figures then return 0 end
redis.call('RPUSH', minutes, minute .. ' ' .. found)
redis.call('LTRIM', minutes, -1440, -1)
redis.call('EXPIRE', minutes, 86400)
return 1
