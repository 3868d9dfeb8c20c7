#!lua flags=allow-oom
-- Settle what a worker finished and lease it the next jobs, or park it: one round trip.
-- Returns {time, refused ids, due, lease, ids, records, runs, inbox}. due: nil unless parked, then the ms
-- until the next delayed job (-1: none). inbox: what an enqueue had handed over meanwhile.
-- GONE: the worker was reclaimed. STALE: a later turn was seen already.
-- include now
-- include put
-- include wake
-- include drop
-- include unlock
-- include settle
-- include promote
-- include take
-- include room
local queue = unpack(KEYS)
local worker, number, want, park, source, keep, done, kept, moves = unpack(ARGV)
-- rest: done ids, their leases, (id, outcome) of the last `kept` of them, the moves (see settle),
-- then (counter, by) pairs

local last = redis.call('HGET', queue .. ':turns', worker)
if not last then return redis.error_reply('GONE this worker was reclaimed') end
if tonumber(number) <= tonumber(last) then return redis.error_reply('STALE turn ' .. number) end
redis.call('HSET', queue .. ':turns', worker, number)
redis.call('SREM', queue .. ':idle', worker)
local inbox = redis.call('LPOP', queue .. ':inbox:' .. worker, 1000) or {}

local time = now()
local active, stats = queue .. ':active:' .. worker, queue .. ':stats'
local fixed = 9
want, keep, done, kept, moves = tonumber(want), tonumber(keep), tonumber(done), tonumber(kept), tonumber(moves)

local refused = {}
if done > 0 then
  local held = redis.call('HMGET', active, unpack(ARGV, fixed + 1, fixed + done))
  for i = 1, done do
    if held[i] ~= ARGV[fixed + done + i] then refused[#refused + 1] = ARGV[fixed + i] end
  end
  local ids = { unpack(ARGV, fixed + 1, fixed + done) }
  local outcomes = { unpack(ARGV, fixed + 2 * done + 1, fixed + 2 * done + 2 * kept) }
  if #refused > 0 then
    local lost, own, told = {}, {}, {}
    for i = 1, #refused do lost[refused[i]] = true end
    for i = 1, done do
      if not lost[ids[i]] then own[#own + 1] = ids[i] end
    end
    for i = 1, 2 * kept, 2 do
      if not lost[outcomes[i]] then
        told[#told + 1] = outcomes[i]
        told[#told + 1] = outcomes[i + 1]
      end
    end
    ids, outcomes = own, told
  end
  local plain = #ids - #outcomes / 2
  if #ids > 0 then
    redis.call('HDEL', active, unpack(ids))
    redis.call('HINCRBY', stats, 'completed', #ids)
  end
  if plain > 0 then drop(queue, { unpack(ids, 1, plain) }) end
  if #outcomes > 0 then
    redis.call('HSET', queue .. ':outcomes', unpack(outcomes))
    redis.call('LPUSH', queue .. ':completed', unpack(ids, plain + 1))
  end
end

local at = fixed + 2 * done + 2 * kept
if moves > 0 then
  local more = settle(queue, worker, time, at, moves)
  for i = 1, #more do refused[#refused + 1] = more[i] end
end
if #refused > 0 then redis.call('HINCRBY', stats, 'lost_leases', #refused) end
if done + moves > 0 and keep >= 0 then
  local over = math.min(redis.call('LLEN', queue .. ':completed') - keep, 1000)
  if over > 0 then drop(queue, redis.call('RPOP', queue .. ':completed', over)) end
end
for i = at + 9 * moves + 1, #ARGV, 2 do
  redis.call('HINCRBY', stats, ARGV[i], ARGV[i + 1])
end

promote(queue, time)
local meta = redis.call('HMGET', queue .. ':meta', 'paused', 'limited')
local ids, due = {}, -1
if not meta[1] then
  local limit = meta[2] and room(queue, tonumber(meta[2])) or 1000
  want = math.min(want, limit)
  if want > 0 and source == 'alone' then
    ids = redis.call('LPOP', queue .. ':alone', want) or {}
  elseif want > 0 then
    ids = take(queue, want)
  end
  -- Whoever leaves takeable jobs behind wakes the next worker; or looks again, when all it met was stale.
  if limit > #ids and redis.call('EXISTS', queue .. ':levels') == 1 then
    wake(queue, 1)
    due = 0
  end
end

if #ids == 0 then
  if park ~= '1' then return { time, refused, false, 0, {}, {}, {}, inbox } end
  redis.call('SADD', queue .. ':idle', worker)
  local next = redis.call('ZRANGE', queue .. ':delayed', 0, 0, 'WITHSCORES')[2]
  if due < 0 and next then due = math.max(next - time, 0) end
  return { time, refused, due, 0, {}, {}, {}, inbox }
end

local lease = redis.call('INCR', queue .. ':last_lease')
local leases = {}
for i = 1, #ids do
  leases[2 * i - 1] = ids[i]
  leases[2 * i] = lease
end
redis.call('HSET', active, unpack(leases))
local records = redis.call('HMGET', queue .. ':jobs', unpack(ids))
local runs = {}
if redis.call('EXISTS', queue .. ':runs') == 1 then
  runs = redis.call('HMGET', queue .. ':runs', unpack(ids))
end
return { time, refused, false, lease, ids, records, runs, inbox }
