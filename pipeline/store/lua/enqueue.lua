-- Store jobs that are alike: one level, ids of ours, due now. One alone goes straight to a parked worker.
-- Returns the first id; the others follow it by one. Refuses when `generation` is not the one that runs.
-- include now
-- include tell
-- include put
-- include wake
-- include next_lease
-- include hand_over
local queue = unpack(KEYS)
local producer, call, generation, level = unpack(ARGV)
-- rest: records

local memory = queue .. ':call:' .. producer
local meta = redis.call('HMGET', queue .. ':meta', 'generation', 'paused', 'limited', 'rate', 'held', 'watched')
if (meta[1] or '') ~= generation then
  -- Taken under the policy before, and the answer was lost: checked anew it would be a second job.
  local last, answer = string.match(redis.call('GET', memory) or '', '^(%d+):(.+)$')
  if last == call then
    redis.call('EXPIRE', memory, 60) -- a write, so that it can be confirmed
    return tonumber(answer)
  end
  return redis.error_reply('POLICY ' .. (meta[1] or ''))
end

local fixed = 4
local count = #ARGV - fixed
local first = redis.call('INCRBY', queue .. ':last_id', count) - count + 1

-- The last call of each producer is remembered: repeated after a lost answer it adds nothing, and an older one
-- that comes late is refused. The ids that it took are a gap: what was enqueued is counted by the ids.
local before = redis.call('SET', memory, call .. ':' .. first, 'EX', 60, 'GET')
if before then
  local last, answer = string.match(before, '^(%d+):(.+)$')
  if tonumber(last) >= tonumber(call) then
    redis.call('SET', memory, before, 'EX', 60)
    redis.call('HINCRBY', queue .. ':stats', 'gaps', count)
    if last == call then return tonumber(answer) end
    return redis.error_reply('STALE call ' .. call)
  end
end

-- Ids as text: the server writes a number anew for every command, with 17 digits' worth of care.
if count == 1 then
  local id = string.format('%d', first)
  redis.call('HSET', queue .. ':jobs', id, ARGV[fixed + 1])
  local direct = not (meta[2] or meta[3] or meta[4] or meta[5])
  local watched = meta[6]
  if watched then tell(queue, watched, 'enqueued', { id }) end
  if direct and hand_over(queue, id, ARGV[fixed + 1]) then
    if watched then tell(queue, watched, 'active', { id }) end
    return first
  end
  put(queue, level, { id }, false)
  if not direct then wake(queue, 1) end
  return first
end

local records, ids = {}, {}
for i = 1, count do
  local id = string.format('%d', first + i - 1)
  ids[i] = id
  records[2 * i - 1] = id
  records[2 * i] = ARGV[fixed + i]
end
redis.call('HSET', queue .. ':jobs', unpack(records))
put(queue, level, ids, false)
if meta[6] then tell(queue, meta[6], 'enqueued', ids) end
wake(queue, math.min(count, 100))
return first
