-- Where jobs are. Returns for each {state, outcome}; the outcome of those that ended. The state of one that is not kept is
-- 'gone', or 'unknown' when its id is not even remembered: it may never have been made.
-- include now
-- include where
local queue = unpack(KEYS)
-- rest: ids

local found, time = {}, now()
for i = 1, #ARGV do
  local state = where(queue, ARGV[i])
  if state then
    found[i] = { state, redis.call('HGET', queue .. ':outcomes', ARGV[i]) }
  else
    local forget = redis.call('ZSCORE', queue .. ':ids', ARGV[i])
    found[i] = { forget and tonumber(forget) > time and 'gone' or 'unknown', false }
  end
end
return found
