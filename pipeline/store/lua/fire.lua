-- A tick of a schedule: its job goes in and the schedule goes on to the tick, or neither. Only from the place where the
-- caller saw it (`after`, and `before`, the job of its last tick), so that one of many fires a tick, and once. With a
-- `level` the job `before` is cancelled if it has not ended; see cancel.
-- Returns what came of it, and the id of the job if there is one: fired; skipped, since the last job has not ended
-- (overlap 'skip') or another holds the deduplication key; missed, without a job; early, the tick is not due yet;
-- passed, somebody was here before. Refuses when `generation` is not the one that runs.
-- include now
-- include tell
-- include put
-- include wake
-- include lane_book
-- include lane_room
-- include lanes
-- include next_lease
-- include hand_over
-- include holder
-- include shift
-- include where
-- include accept
-- include level_of
-- include withdraw
-- include unlock
-- include cancel
local queue = unpack(KEYS)
local generation, name, after, before, tick, missed, overlap, level, key, keep, outcome = unpack(ARGV)
-- rest: the job, as enqueue_each takes one; without it the ticks until `tick` have no jobs

local meta = redis.call('HMGET', queue .. ':meta', 'generation', 'paused', 'limited', 'rate', 'held', 'watched')
if (meta[1] or '') ~= generation then return redis.error_reply('POLICY ' .. (meta[1] or '')) end
local schedules, time, fixed = queue .. ':schedules', now(), 11
local seen = redis.call('HMGET', schedules, name .. ':after', name .. ':job', name .. ':paused')
if seen[1] ~= after or (seen[2] or '') ~= before or seen[3] then return { 'passed' } end
local fires = #ARGV > fixed
if fires and tonumber(tick) > time then return { 'early' } end

redis.call('HSET', schedules, name .. ':after', tick)
if missed ~= '0' then redis.call('HINCRBY', schedules, name .. ':missed', missed) end
if not fires then return { 'missed' } end

local ended = { completed = true, dead = true, cancelled = true }
local state = overlap == 'skip' and before ~= '' and where(queue, before)
if state and not ended[state] then
  redis.call('HINCRBY', schedules, name .. ':skipped', 1)
  return { 'skipped', before }
end
if level ~= '' then cancel(queue, time, before, level, key, keep, outcome) end
local direct = not (meta[2] or meta[3] or meta[4] or meta[5])
local id, status = unpack(accept(queue, time, direct, fixed, meta[6]))
local word = status == 'duplicate' and 'skipped' or 'fired'
redis.call('HINCRBY', schedules, name .. ':' .. word, 1)
-- One that kept ours out is another's: it is not ours to wait for, or to replace.
if word == 'fired' then redis.call('HSET', schedules, name .. ':ran', tick, name .. ':job', id) end
return { word, id }
