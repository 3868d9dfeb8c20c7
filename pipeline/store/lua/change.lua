-- Change a job that neither runs nor is completed. `seen` is its record as the change was made from it, with the level
-- `was`; `record` and `level` are the new ones. due: '' (as it is), 'front' (now, before those that wait), '+ms' or a
-- time. The time of a job that has ended, or waits for a process of its own, stays as it is.
-- Returns {the state it was in, the state it is in now}: the second is missing when nothing was done, the first is
-- 'alone' for a job that waits for a process of its own, or 'changed' when its record is not `seen` any more.
-- include now
-- include tell
-- include put
-- include wake
-- include lane_book
-- include lane_room
-- include lanes
-- include shift
-- include where
-- include level_of
-- include withdraw
local queue = unpack(KEYS)
local id, seen, record, was, level, due = unpack(ARGV)

local state, time = where(queue, id), now()
if not state then return {} end
if redis.call('HGET', queue .. ':jobs', id) ~= seen then return { 'changed' } end
if state == 'waiting' and redis.call('LPOS', queue .. ':alone', id) then state = 'alone' end
local placed = state == 'waiting' or state == 'delayed'
if state == 'active' or state == 'completed' or (not placed and due ~= '') then return { state } end

if string.sub(due, 1, 1) == '+' then due = string.format('%d', time + string.sub(due, 2)) end
local front = due == 'front'
local later = due ~= '' and not front and tonumber(due) > time
local to = later and 'delayed' or (placed and due ~= '') and 'waiting' or state
local moves = later or to ~= state or (to == 'waiting' and (level ~= was or front))

redis.call('HSET', queue .. ':jobs', id, record)
local laned = redis.call('HGET', queue .. ':laned', id)
if laned and moves and state == 'waiting' and to == 'waiting' then
  shift(queue, time, id, laned, level, front)
  moves = false
elseif moves and state == 'waiting' then
  withdraw(queue, time, state, id, was)
elseif laned and is_in(laned) then
  -- One that is delayed, or alone, keeps the room it has in its lane.
  redis.call('HSET', queue .. ':laned', id, 'in ' .. level)
end
if level ~= was then redis.call('HSET', queue .. ':moved', id, level) end
if moves and to == 'waiting' then
  redis.call('ZREM', queue .. ':delayed', id)
  redis.call('HDEL', queue .. ':levelof', id)
  arrive(queue, time, level, { id }, front)
  wake(queue, 1)
elseif to == 'delayed' then
  if later then redis.call('ZADD', queue .. ':delayed', due, id) end
  if level == '0' then
    redis.call('HDEL', queue .. ':levelof', id)
  else
    redis.call('HSET', queue .. ':levelof', id, level)
  end
  if later and redis.call('ZRANGE', queue .. ':delayed', 0, 0)[1] == id then wake(queue, 100) end
end
tell(queue, redis.call('HGET', queue .. ':meta', 'watched'), 'changed', { id })
return { state, to == 'alone' and 'waiting' or to }
