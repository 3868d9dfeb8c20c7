-- Take a waiting or delayed job out of its place, in O(1): a list entry is only marked stale.
-- One that waits to run alone is found in its (short) list.
local function withdraw(queue, state, id, level)
  if state == 'delayed' then
    redis.call('ZREM', queue .. ':delayed', id)
    redis.call('HDEL', queue .. ':levelof', id)
  elseif redis.call('LREM', queue .. ':alone', 1, id) == 0 then
    redis.call('HINCRBY', queue .. ':stale', level .. ':' .. id, 1)
  end
end
