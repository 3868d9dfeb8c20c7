#!lua flags=allow-oom
-- Dead or cancelled jobs wait again, at attempt 1. A job whose deduplication key another holds stays.
-- Returns for each: the state it was in, nil when it is not kept, or 'duplicate of <id>'. `runs` is what is kept of
-- those before; '' is nothing.
-- include now
-- include tell
-- include holder
-- include level_of
-- include put
-- include wake
-- include lane_book
-- include lane_room
-- include lanes
-- include where
local queue = unpack(KEYS)
-- rest: id, level, key, runs for each job

local answers, moved = {}, {}
for i = 1, #ARGV, 4 do
  local id, level, key, runs = unpack(ARGV, i, i + 3)
  local state = where(queue, id)
  if state == 'dead' or state == 'cancelled' then
    local held_by = holder(queue, key)
    if held_by and held_by ~= id then
      state = 'duplicate of ' .. held_by
    else
      if key ~= '' then redis.call('SET', queue .. ':dedup:' .. key, id) end
      redis.call('ZREM', queue .. ':' .. state, id)
      redis.call('HDEL', queue .. ':outcomes', id)
      if runs == '' then
        redis.call('HDEL', queue .. ':runs', id)
      else
        redis.call('HSET', queue .. ':runs', id, runs)
      end
      redis.call('ZREM', queue .. ':ids', id)
      arrive(queue, now(), level_of(queue, id, level), { id }, false)
      moved[#moved + 1] = id
    end
  end
  answers[#answers + 1] = state or false
end
if #moved > 0 then
  redis.call('HINCRBY', queue .. ':stats', 'redriven', #moved)
  wake(queue, math.min(#moved, 100))
  tell(queue, redis.call('HGET', queue .. ':meta', 'watched'), 'redriven', moved)
end
return answers
