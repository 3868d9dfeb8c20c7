#!lua flags=allow-oom
-- Carry out what was decided for jobs of a worker that is gone or stands still. Fenced by the leases, so it
-- can be repeated, and two supervisors may do it at once. Returns how many jobs were moved.
-- include now
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
local moved = count - #settle(queue, worker, now(), fixed, count)
if moved > 0 then
  for counter, by in pairs({ reruns = reruns, failed = failed }) do
    if tonumber(by) > 0 then redis.call('HINCRBY', queue .. ':stats', counter, math.min(by, moved)) end
  end
  wake(queue, moved)
end
return moved
