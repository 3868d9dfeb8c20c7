#!lua flags=allow-oom
-- A delayed job becomes takeable now. Returns the state it was in.
-- include now
-- include tell
-- include put
-- include wake
-- include lane_book
-- include lane_room
-- include lanes
-- include where
-- include level_of
local queue = unpack(KEYS)
local id, level = unpack(ARGV)

local state = where(queue, id)
if state == 'delayed' then
  redis.call('ZREM', queue .. ':delayed', id)
  redis.call('HDEL', queue .. ':levelof', id)
  arrive(queue, now(), level_of(queue, id, level), { id }, false)
  wake(queue, 1)
  tell(queue, redis.call('HGET', queue .. ':meta', 'watched'), 'promoted', { id })
end
return state
