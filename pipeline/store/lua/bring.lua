-- Store jobs that come from another broker, with their ids of any kind and what earlier attempts left behind. An id that is
-- a number lifts our counter, and is remembered for `keep` ms, so that a repeat brings no job twice. A key that another
-- job holds by now is not waited for: what was accepted there has to run. Returns for each created, duplicate, or taken:
-- then another job has its id. Refuses when `generation` is not the one that runs.
-- include now
-- include tell
-- include put
-- include wake
-- include lane_book
-- include lane_room
-- include lanes
local queue = unpack(KEYS)
local generation, keep = unpack(ARGV)
-- rest: id, level ('alone': in a process of its own), due ('': now), lane, record, runs, outcome ('': not dead), key, window ('': until it is done)

local meta = redis.call('HMGET', queue .. ':meta', 'generation', 'watched')
if (meta[1] or '') ~= generation then return redis.error_reply('POLICY ' .. (meta[1] or '')) end

local time, answers, came, dead, nearer = now(), {}, {}, 0, false
local highest = tonumber(redis.call('GET', queue .. ':last_id') or 0)

local function status(id, record)
  local stored = redis.call('HGET', queue .. ':jobs', id)
  if stored then return stored == record and 'duplicate' or 'taken' end
  local forget = redis.call('ZSCORE', queue .. ':ids', id)
  return forget and tonumber(forget) > time and 'duplicate' or 'created'
end

local function place(id, level, due, lane)
  if lane ~= '' then
    redis.call('HSET', queue .. ':lane_of', id, lane)
    redis.call('HSETNX', queue .. ':meta', 'lanes', '1 0 0 1 0')
  end
  if level == 'alone' then
    redis.call('RPUSH', queue .. ':alone', id)
  elseif due ~= '' and tonumber(due) > time then
    redis.call('ZADD', queue .. ':delayed', due, id)
    if level ~= '0' then redis.call('HSET', queue .. ':levelof', id, level) end
    nearer = nearer or redis.call('ZRANGE', queue .. ':delayed', 0, 0)[1] == id
  else
    arrive(queue, time, level, { id }, false)
  end
end

local function store(id, level, due, lane, record, runs, outcome, key, window)
  redis.call('HSET', queue .. ':jobs', id, record)
  if runs ~= '' then redis.call('HSET', queue .. ':runs', id, runs) end
  if string.find(id, '^%d+$') then
    redis.call('ZADD', queue .. ':ids', time + keep, id)
    highest = math.max(highest, tonumber(id))
  end
  if outcome ~= '' then
    redis.call('HSET', queue .. ':outcomes', id, outcome)
    redis.call('ZADD', queue .. ':dead', due, id)
    dead = dead + 1
    return
  end
  if key ~= '' and window == '' then redis.call('SET', queue .. ':dedup:' .. key, id, 'NX') end
  if key ~= '' and window ~= '' then redis.call('SET', queue .. ':dedup:' .. key, id, 'NX', 'PX', window) end
  place(id, level, due, lane)
end

for i = 3, #ARGV, 9 do
  local id, record = ARGV[i], ARGV[i + 4]
  local answer = status(id, record)
  answers[#answers + 1] = answer
  if answer == 'created' then
    came[#came + 1] = id
    store(unpack(ARGV, i, i + 8))
  end
end

if #came == 0 then return answers end
local lifted = highest - (redis.call('GET', queue .. ':last_id') or 0)
if lifted > 0 then
  redis.call('INCRBY', queue .. ':last_id', string.format('%.0f', lifted))
  redis.call('HINCRBY', queue .. ':stats', 'gaps', string.format('%.0f', lifted))
end
redis.call('HINCRBY', queue .. ':stats', 'own', #came)
if dead > 0 then redis.call('HINCRBY', queue .. ':stats', 'dead', dead) end
if nearer or #came > dead then wake(queue, 100) end
tell(queue, meta[2], 'enqueued', came)
return answers
