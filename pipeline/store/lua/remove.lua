#!lua flags=allow-oom
-- Delete jobs that do not run, whatever their state. Returns for each the state it was in, nil when not kept.
-- An active job stays. A job that had not ended counts as purged.
-- include now
-- include tell
-- include put
-- include wake
-- include lane_book
-- include lane_room
-- include lanes
-- include drop
-- include where
-- include level_of
-- include withdraw
-- include unlock
local queue = unpack(KEYS)
-- rest: id, level, key, keep for each job

local answers, gone, purged, time = {}, {}, 0, now()
for i = 1, #ARGV, 4 do
  local id, level, key, keep = unpack(ARGV, i, i + 3)
  local state = where(queue, id)
  if state == 'waiting' or state == 'delayed' then
    withdraw(queue, time, state, id, level)
    unlock(queue, time, id, key, keep)
    purged = purged + 1
  elseif state == 'dead' or state == 'cancelled' then
    redis.call('ZREM', queue .. ':' .. state, id)
  elseif state == 'completed' then
    redis.call('LREM', queue .. ':completed', 1, id)
  end
  if state and state ~= 'active' then
    drop(queue, { id })
    gone[#gone + 1] = id
  end
  answers[#answers + 1] = state or false
end
if purged > 0 then redis.call('HINCRBY', queue .. ':stats', 'purged', purged) end
tell(queue, redis.call('HGET', queue .. ':meta', 'watched'), 'removed', gone)
return answers
