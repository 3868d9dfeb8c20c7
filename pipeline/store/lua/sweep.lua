#!lua flags=allow-oom
-- Trim what is kept too long or too many, at most 500 jobs of each kind a call. Ages are in ms, '' is no
-- bound; `expired` completed jobs at the tail, the oldest of them `oldest`, are past their age.
-- Returns how many went.
-- include now
-- include drop
local queue = unpack(KEYS)
local completed_count, expired, oldest, dead_count, dead_age, cancelled_age = unpack(ARGV)

local time, gone = now(), 0
local function trim(ids)
  if #ids > 0 then drop(queue, ids) end
  gone = gone + #ids
end

local completed = queue .. ':completed'
local over = completed_count ~= '' and redis.call('LLEN', completed) - completed_count or 0
if redis.call('LINDEX', completed, -1) == oldest then over = math.max(over, tonumber(expired)) end
if over > 0 then trim(redis.call('RPOP', completed, math.min(over, 500))) end

local function trim_set(key, count, age)
  local ids = {}
  if age ~= '' then ids = redis.call('ZRANGEBYSCORE', key, '-inf', time - age, 'LIMIT', 0, 500) end
  local excess = count ~= '' and redis.call('ZCARD', key) - count or 0
  if excess > #ids then ids = redis.call('ZRANGE', key, 0, math.min(excess, 500) - 1) end
  if #ids > 0 then redis.call('ZREM', key, unpack(ids)) end
  trim(ids)
end
trim_set(queue .. ':dead', dead_count, dead_age)
trim_set(queue .. ':cancelled', completed_count, cancelled_age)

local forget = redis.call('ZRANGEBYSCORE', queue .. ':ids', '-inf', time, 'LIMIT', 0, 500)
if #forget > 0 then redis.call('ZREM', queue .. ':ids', unpack(forget)) end
return gone + #forget
