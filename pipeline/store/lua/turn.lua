#!lua flags=allow-oom
-- Settle what a worker finished and lease it the next jobs, or park it: one round trip.
-- Returns {time, refused ids, due, lease, ids, records, runs, inbox}. due: nil unless parked, then the ms
-- until the next delayed job (-1: none), or -2: neither parked nor given jobs, for the worker does not know what it
-- holds; it says that it `holds` so many ('': it does not say). inbox: what an enqueue had handed over meanwhile.
-- GONE: the worker was reclaimed, and what it settles is counted as lost leases. STALE: a later turn was seen already.
-- include now
-- include tell
-- include without
-- include put
-- include wake
-- include lane_book
-- include lane_room
-- include lanes
-- include drop
-- include unlock
-- include unlock_all
-- include complete
-- include stopped
-- include unused
-- include keep_back
-- include settle
-- include promote
-- include take
-- include take_in_lanes
-- include window
-- include room
-- include next_lease
-- include started
-- include named
local queue = unpack(KEYS)
local worker, number, want, park, holds, source, keep, done, runs, kept, unlocks, moves = unpack(ARGV)
-- rest: the completed jobs (see complete), (id, key, keep) of those that hold something, the moves (see settle), then
-- (counter, by) pairs: totals, and with = in front what is counted by the names of jobs

local last = redis.call('HGET', queue .. ':turns', worker)
if not last then
  if done + moves > 0 then redis.call('HINCRBY', queue .. ':stats', 'lost_leases', done + moves) end
  return redis.error_reply('GONE this worker was reclaimed')
end
if tonumber(number) <= tonumber(last) then return redis.error_reply('STALE turn ' .. number) end
redis.call('HSET', queue .. ':turns', worker, number)
redis.call('SREM', queue .. ':idle', worker)
local inbox = redis.call('LPOP', queue .. ':inbox:' .. worker, 1000) or {}

local time = now()
local active, stats = queue .. ':active:' .. worker, queue .. ':stats'
local fixed = 12
want, keep, moves = tonumber(want), tonumber(keep), tonumber(moves)
done, runs, kept, unlocks = tonumber(done), tonumber(runs), tonumber(kept), tonumber(unlocks)

local refused = done > 0 and complete(queue, time, active, fixed, done, runs, kept, unlocks) or {}
local at = fixed + done + 2 * runs + 2 * kept + 3 * unlocks
local became = {}
if moves > 0 then
  local more
  more, became = settle(queue, worker, time, at, moves)
  for i = 1, #more do refused[#refused + 1] = more[i] end
end
if #refused > 0 then redis.call('HINCRBY', stats, 'lost_leases', #refused) end
if done + moves > 0 and keep >= 0 then
  local over = math.min(redis.call('LLEN', queue .. ':completed') - keep, 1000)
  if over > 0 then drop(queue, redis.call('RPOP', queue .. ':completed', over)) end
end
for i = at + 9 * moves + 1, #ARGV, 2 do
  local counter, by = ARGV[i], ARGV[i + 1]
  if string.sub(counter, 1, 1) == '=' then
    named(queue, string.sub(counter, 2), by)
  else
    redis.call('HINCRBY', stats, counter, by)
  end
end

local paused, limited, rate, held, watched, lanes =
  unpack(redis.call('HMGET', queue .. ':meta', 'paused', 'limited', 'rate', 'held', 'watched', 'lanes'))
if watched then
  tell(queue, watched, 'completed', without({ unpack(ARGV, fixed + 1, fixed + done) }, refused))
  for event, ids in pairs(became) do tell(queue, watched, event, ids) end
end

-- A letter may have gone into a connection that was broken already, or away with an inbox. Those with a mark tell the
-- worker to stop a job.
local letters = 0
for i = 1, #inbox do
  if inbox[i] ~= '' and string.sub(inbox[i], 1, 1) ~= '!' then letters = letters + 1 end
end
if holds ~= '' and redis.call('HLEN', active) - 1 ~= holds + letters then
  return { time, refused, -2, 0, {}, {}, {}, inbox }
end

promote(queue, time)
local ids, due, lease = {}, -1, nil
if not paused then
  local free, opens = 1000, nil
  if limited or rate or held then free, opens = room(queue, time, limited, rate, held) end
  want = math.min(want, free)
  if want > 0 and source == 'alone' then
    ids = redis.call('LPOP', queue .. ':alone', want) or {}
  elseif want > 0 and lanes then
    lease = next_lease(queue, time)
    ids = take_in_lanes(queue, time, want, lease)
  elseif want > 0 then
    ids = take(queue, want)
  end
  -- Whoever leaves takeable jobs behind wakes the next worker; or looks again, when all it met was stale. Where only
  -- time holds them back, one worker must be parked that knows until when.
  if (free > #ids or rate or opens) and redis.call('EXISTS', queue .. ':levels') == 1 then
    local parks = #ids == 0 and park == '1'
    if free > #ids then due = 0 elseif opens then due = opens end
    if free > #ids or not parks then wake(queue, 1) end
  end
end

if #ids == 0 then
  if park ~= '1' then return { time, refused, false, 0, {}, {}, {}, inbox } end
  redis.call('SADD', queue .. ':idle', worker)
  local next = redis.call('ZRANGE', queue .. ':delayed', 0, 0, 'WITHSCORES')[2]
  if next and (due < 0 or next - time < due) then due = math.max(next - time, 0) end
  local opens = lanes and redis.call('ZRANGE', queue .. ':lane_opens', 0, 0, 'WITHSCORES')[2]
  if opens and (due < 0 or opens - time < due) then due = math.max(opens - time, 0) end
  return { time, refused, due, 0, {}, {}, {}, inbox }
end

lease = lease or next_lease(queue, time)
local leases = {}
for i = 1, #ids do
  leases[2 * i - 1] = ids[i]
  leases[2 * i] = lease
end
redis.call('HSET', active, unpack(leases))
if rate then started(queue, time, rate, lease, #ids) end
if watched then tell(queue, watched, 'active', ids) end
local records = redis.call('HMGET', queue .. ':jobs', unpack(ids))
local earlier = {}
if redis.call('EXISTS', queue .. ':runs') == 1 then
  earlier = redis.call('HMGET', queue .. ':runs', unpack(ids))
end
return { time, refused, false, tonumber(lease), ids, records, earlier, inbox }
