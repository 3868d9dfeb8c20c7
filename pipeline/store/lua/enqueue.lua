-- Store jobs that are alike: one level, ids of ours, due now. One alone goes straight to a parked worker.
-- Returns the first id; the others follow it by one. Refuses when `generation` is not the one that runs.
-- include now
-- include put
-- include wake
-- include hand_over
local queue = unpack(KEYS)
local producer, call, generation, level = unpack(ARGV)
-- rest: records

local meta = redis.call('HMGET', queue .. ':meta', 'generation', 'paused', 'limited')
if (meta[1] or '') ~= generation then
  return redis.error_reply('POLICY ' .. (meta[1] or ''))
end

local fixed = 4
local count = #ARGV - fixed
local first = redis.call('INCRBY', queue .. ':last_id', count) - count + 1

-- The last call of each producer is remembered, so a call repeated after a lost answer adds nothing.
local memory = queue .. ':call:' .. producer
local before = redis.call('SET', memory, call .. ':' .. first, 'EX', 60, 'GET')
if before and string.sub(before, 1, #call + 1) == call .. ':' then
  redis.call('SET', memory, before, 'EX', 60)
  return tonumber(string.sub(before, #call + 2))
end

local time = now()
local opening = '[' .. time .. ','
redis.call('HINCRBY', queue .. ':stats', 'enqueued', count)
if count == 1 then
  local record = opening .. ARGV[fixed + 1]
  redis.call('HSET', queue .. ':jobs', first, record)
  if meta[2] or meta[3] or redis.call('EXISTS', queue .. ':levels') == 1
     or not hand_over(queue, time, first, record) then
    put(queue, level, { first }, false)
    wake(queue, 1)
  end
  return first
end

local pairs_, ids = {}, {}
for i = 1, count do
  local id = first + i - 1
  ids[i] = id
  pairs_[2 * i - 1] = id
  pairs_[2 * i] = opening .. ARGV[fixed + i]
end
redis.call('HSET', queue .. ':jobs', unpack(pairs_))
put(queue, level, ids, false)
wake(queue, math.min(count, 100))
return first
