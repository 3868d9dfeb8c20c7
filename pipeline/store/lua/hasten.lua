#!lua flags=allow-oom
-- A delayed job becomes takeable now. Returns the state it was in.
-- include now
-- include put
-- include wake
-- include lane_book
-- include lane_room
-- include lanes
-- include where
local queue = unpack(KEYS)
local id, level = unpack(ARGV)

local state = where(queue, id)
if state == 'delayed' then
  redis.call('ZREM', queue .. ':delayed', id)
  redis.call('HDEL', queue .. ':levelof', id)
  arrive(queue, now(), level, { id }, false)
  wake(queue, 1)
end
return state
