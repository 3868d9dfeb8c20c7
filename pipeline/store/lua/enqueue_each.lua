-- Store jobs that have something of their own: an id, a level, a time, a deduplication key.
-- Returns id, status, id, status ...; a status is created or duplicate, and the id is the one that stands.
-- Refuses when `generation` is not the one that runs.
-- include now
-- include put
-- include wake
-- include next_lease
-- include hand_over
-- include holder
local queue = unpack(KEYS)
local producer, call, generation = unpack(ARGV)
-- rest: id, level, due, key, window, record for each job. An id of '' is made here; due is '' (now),
-- '+ms' or a time; window is '' (until the job is done) or ms.

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

local meta = redis.call('HMGET', queue .. ':meta', 'generation', 'paused', 'limited')
if (meta[1] or '') ~= generation then
  return redis.error_reply('POLICY ' .. (meta[1] or ''))
end

local time, answers, created, own, nearer = now(), {}, 0, 0, false
local fixed = 3
local alone = #ARGV == fixed + 6

local function standing(id, key)
  if id ~= '' then
    if redis.call('HEXISTS', queue .. ':jobs', id) == 1 then return id end
    local forget = redis.call('ZSCORE', queue .. ':ids', id)
    if forget and tonumber(forget) > time then return id end
  end
  return holder(queue, key)
end

local function place(id, level, due, record)
  if string.sub(due, 1, 1) == '+' then due = time + string.sub(due, 2) end
  if due ~= '' and tonumber(due) > time then
    redis.call('ZADD', queue .. ':delayed', due, id)
    if level ~= '0' then redis.call('HSET', queue .. ':levelof', id, level) end
    nearer = nearer or redis.call('ZRANGE', queue .. ':delayed', 0, 0)[1] == id
  elseif not (alone and not meta[2] and not meta[3] and hand_over(queue, id, record)) then
    put(queue, level, { id }, false)
  end
end

for i = fixed + 1, #ARGV, 6 do
  local id, level, due, key, window, record = unpack(ARGV, i, i + 5)
  local stands = standing(id, key)
  if stands then
    answers[#answers + 1] = stands
    answers[#answers + 1] = 'duplicate'
  else
    if id == '' then
      id = tostring(redis.call('INCR', queue .. ':last_id'))
    else
      own = own + 1
    end
    redis.call('HSET', queue .. ':jobs', id, record)
    if key ~= '' then
      if window == '' then
        redis.call('SET', queue .. ':dedup:' .. key, id)
      else
        redis.call('SET', queue .. ':dedup:' .. key, id, 'PX', window)
      end
    end
    place(id, level, due, record)
    created = created + 1
    answers[#answers + 1] = id
    answers[#answers + 1] = 'created'
  end
end

if own > 0 then redis.call('HINCRBY', queue .. ':stats', 'own', own) end
local duplicates = #answers / 2 - created
if duplicates > 0 then redis.call('HINCRBY', queue .. ':stats', 'duplicates', duplicates) end
if nearer then
  wake(queue, 100)
elseif redis.call('EXISTS', queue .. ':levels') == 1 then
  wake(queue, math.min(#answers / 2, 100))
end
redis.call('SET', memory, call .. ':' .. cjson.encode(answers), 'EX', 60)
return answers
