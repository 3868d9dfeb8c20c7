-- Take a waiting or delayed job out of its place, in O(1): a list entry is only marked stale.
-- One that waits to run alone is found in its (short) list. Needs lanes and level_of.
local function withdraw(queue, time, state, id, level)
  local place, listed = redis.call('HGET', queue .. ':laned', id), false
  if state == 'delayed' then
    redis.call('ZREM', queue .. ':delayed', id)
    redis.call('HDEL', queue .. ':levelof', id)
  elseif not (place and not is_in(place)) and redis.call('LREM', queue .. ':alone', 1, id) == 0 then
    local mark = level_of(queue, id, level) .. ':' .. id
    redis.call('HINCRBY', queue .. ':stale', mark, 1)
    redis.call('HDEL', queue .. ':ahead', mark)
    listed = true
  end
  if place and leave_lanes(queue, time, { id }, listed) > 0 then wake(queue, 1) end
end
