-- Everything kept of some jobs. Returns for each {state, record, runs, outcome, progress, worker, due, lane, logs}, nil
-- when it is not kept; logs only when it is the one asked for.
-- include where
local queue = unpack(KEYS)
-- rest: ids

local found = {}
for i = 1, #ARGV do
  local id = ARGV[i]
  local state, worker = where(queue, id)
  found[i] = state and {
    state,
    redis.call('HGET', queue .. ':jobs', id),
    redis.call('HGET', queue .. ':runs', id),
    redis.call('HGET', queue .. ':outcomes', id),
    redis.call('HGET', queue .. ':notes', id),
    worker or false,
    redis.call('ZSCORE', queue .. ':delayed', id),
    redis.call('HGET', queue .. ':lane_of', id),
    #ARGV == 1 and redis.call('LRANGE', queue .. ':logs:' .. id, 0, -1) or {},
  } or false
end
return found
