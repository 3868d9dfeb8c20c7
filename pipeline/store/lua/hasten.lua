#!lua flags=allow-oom
-- A delayed job becomes takeable now. Returns the state it was in.
-- include now
-- include tell
-- include put
-- include wake
-- include where
-- include level_of
-- include withdraw
local queue = unpack(KEYS)
local id, level = unpack(ARGV)

local state = where(queue, id)
if state == 'delayed' then
  withdraw(queue, state, id, level)
  put(queue, level_of(queue, id, level), { id }, false)
  wake(queue, 1)
  tell(queue, redis.call('HGET', queue .. ':meta', 'watched'), 'promoted', { id })
end
return state
