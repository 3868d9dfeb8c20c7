-- Store jobs that have something of their own: an id, a level, a time, a deduplication key.
-- Returns id, status, id, status ...; a status is created, duplicate or replaced, and the id is the one that stands.
-- Refuses when `generation` is not the one that runs.
-- include now
-- include tell
-- include put
-- include wake
-- include next_lease
-- include hand_over
-- include holder
local queue = unpack(KEYS)
local producer, call, generation = unpack(ARGV)
-- rest: id, level, due, key, window, mode, record for each job. An id of '' is made here; due is '' (now),
-- 'front' (now, before those that wait), '+ms' or a time; window is '' (until the job is done) or ms; mode is ''
-- or 'debounce': while the job that holds the key is delayed, and has not run, this record takes its place.

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

local time, answers, own, repeated, nearer = now(), {}, 0, 0, false
local came, changed, given = {}, {}, {}
local fixed = 3
local direct = #ARGV == fixed + 7 and not (meta[2] or meta[3] or meta[4] or meta[5])

local function taken(id)
  if id == '' then return false end
  if redis.call('HEXISTS', queue .. ':jobs', id) == 1 then return true end
  local forget = redis.call('ZSCORE', queue .. ':ids', id)
  return forget and tonumber(forget) > time
end

local function is_untouched(id)
  return redis.call('ZSCORE', queue .. ':delayed', id) and redis.call('HEXISTS', queue .. ':runs', id) == 0
end

local function lock(key, window, id)
  if window == '' then
    redis.call('SET', queue .. ':dedup:' .. key, id)
  else
    redis.call('SET', queue .. ':dedup:' .. key, id, 'PX', window)
  end
end

local function delay(id, level, due)
  redis.call('ZADD', queue .. ':delayed', due, id)
  if level ~= '0' then redis.call('HSET', queue .. ':levelof', id, level) end
  nearer = nearer or redis.call('ZRANGE', queue .. ':delayed', 0, 0)[1] == id
end

local function place(id, level, due, record)
  if due ~= '' and due ~= 'front' and tonumber(due) > time then
    delay(id, level, due)
  elseif direct and hand_over(queue, id, record) then
    given[1] = id
  else
    put(queue, level, { id }, due == 'front')
  end
end

for i = fixed + 1, #ARGV, 7 do
  local id, level, due, key, window, mode, record = unpack(ARGV, i, i + 6)
  if string.sub(due, 1, 1) == '+' then due = string.format('%d', time + string.sub(due, 2)) end
  local stands, status = taken(id) and id or nil, 'duplicate'
  if not stands then
    stands = holder(queue, key)
    if stands and mode == 'debounce' then
      status = 'replaced'
      if not is_untouched(stands) then stands = nil end
    end
  end
  if stands then
    if status == 'replaced' then
      redis.call('HSET', queue .. ':jobs', stands, record)
      if (redis.call('HGET', queue .. ':levelof', stands) or '0') ~= level then
        redis.call('HSET', queue .. ':moved', stands, level)
      end
      redis.call('HDEL', queue .. ':levelof', stands)
      delay(stands, level, due)
      lock(key, window, stands)
      changed[#changed + 1] = stands
    end
    repeated = repeated + 1
  else
    stands, status = id, 'created'
    if id == '' then
      stands = tostring(redis.call('INCR', queue .. ':last_id'))
    else
      own = own + 1
    end
    came[#came + 1] = stands
    redis.call('HSET', queue .. ':jobs', stands, record)
    if key ~= '' then lock(key, window, stands) end
    place(stands, level, due, record)
  end
  answers[#answers + 1] = stands
  answers[#answers + 1] = status
end

if own > 0 then redis.call('HINCRBY', queue .. ':stats', 'own', own) end
if repeated > 0 then redis.call('HINCRBY', queue .. ':stats', 'duplicates', repeated) end
if nearer then
  wake(queue, 100)
elseif redis.call('EXISTS', queue .. ':levels') == 1 then
  wake(queue, math.min(#answers / 2, 100))
end
tell(queue, meta[6], 'enqueued', came)
tell(queue, meta[6], 'changed', changed)
tell(queue, meta[6], 'active', given)
redis.call('SET', memory, call .. ':' .. cjson.encode(answers), 'EX', 60)
return answers
