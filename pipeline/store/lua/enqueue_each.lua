-- Store jobs that have something of their own: an id, a level, a time, a deduplication key. Returns what accept does.
-- Refuses when `generation` is not the one that runs.
-- include now
-- include tell
-- include put
-- include wake
-- include lane_book
-- include lane_room
-- include lanes
-- include where
-- include next_lease
-- include hand_over
-- include holder
-- include shift
-- include accept
local queue = unpack(KEYS)
local producer, call, generation = unpack(ARGV)
-- rest: id, level, due, key, window, mode, lane, record for each job; see accept

local memory = queue .. ':call:' .. producer
local before = redis.call('GET', memory)
if before then
  local last, answer = string.match(before, '^(%d+):(.+)$')
  if last == call then
    redis.call('EXPIRE', memory, 60) -- a write, so that it can be confirmed
    return cjson.decode(answer)
  end
  if tonumber(last) > tonumber(call) then return redis.error_reply('STALE call ' .. call) end
end

local meta = redis.call('HMGET', queue .. ':meta', 'generation', 'paused', 'limited', 'rate', 'held', 'watched')
if (meta[1] or '') ~= generation then
  return redis.error_reply('POLICY ' .. (meta[1] or ''))
end

local fixed = 3
local direct = #ARGV == fixed + 8 and not (meta[2] or meta[3] or meta[4] or meta[5])
local answers = accept(queue, now(), direct, fixed, meta[6])
redis.call('SET', memory, call .. ':' .. cjson.encode(answers), 'EX', 60)
return answers
