#!lua flags=allow-oom
-- Carry out what was decided for jobs of a worker that is gone or stands still. Fenced by the leases, so it
-- can be repeated, and two supervisors may do it at once. Returns how many jobs were moved.
-- include now
-- include tell
-- include put
-- include wake
-- include lane_book
-- include lane_room
-- include lanes
-- include unlock
-- include stopped
-- include unused
-- include keep_back
-- include settle
local queue = unpack(KEYS)
local worker, reruns, failed = unpack(ARGV)
-- rest: moves (see settle)

local fixed = 3
local count = (#ARGV - fixed) / 9
local refused, became = settle(queue, worker, now(), fixed, count)
local moved = count - #refused
local watched = redis.call('HGET', queue .. ':meta', 'watched')
for event, ids in pairs(became) do tell(queue, watched, event == 'released' and 'reclaimed' or event, ids) end
if moved > 0 then
  for counter, by in pairs({ reruns = reruns, failed = failed }) do
    if tonumber(by) > 0 then redis.call('HINCRBY', queue .. ':stats', counter, math.min(by, moved)) end
  end
  wake(queue, moved)
end
return moved
