-- Take a waiting or delayed job out of its place, in O(1): a list entry is only marked stale.
-- One that waits to run alone is found in its (short) list. Needs level_of.
local function withdraw(queue, state, id, level)
  if state == 'delayed' then
    redis.call('ZREM', queue .. ':delayed', id)
    redis.call('HDEL', queue .. ':levelof', id)
  elseif redis.call('LREM', queue .. ':alone', 1, id) == 0 then
    local mark = level_of(queue, id, level) .. ':' .. id
    redis.call('HINCRBY', queue .. ':stale', mark, 1)
    redis.call('HDEL', queue .. ':ahead', mark)
  end
end
