#!lua flags=allow-oom
-- Store copies of jobs that died in another queue. One that came before, and is kept or remembered by its id, is left as
-- it is. Returns how many are new.
-- include now
-- include tell
-- include put
-- include wake
local queue = unpack(KEYS)
-- rest: id, level, record for each copy

local time, new = now(), {}
for i = 1, #ARGV, 3 do
  local id, level, record = unpack(ARGV, i, i + 2)
  local forget = redis.call('ZSCORE', queue .. ':ids', id)
  if not (forget and tonumber(forget) > time) and redis.call('HSETNX', queue .. ':jobs', id, record) == 1 then
    put(queue, level, { id }, false)
    new[#new + 1] = id
  end
end
local count = #new
if count > 0 then
  redis.call('HINCRBY', queue .. ':stats', 'own', count)
  wake(queue, math.min(count, 100))
  tell(queue, redis.call('HGET', queue .. ':meta', 'watched'), 'enqueued', new)
end
if #ARGV / 3 > count then redis.call('HINCRBY', queue .. ':stats', 'duplicates', #ARGV / 3 - count) end
return count
