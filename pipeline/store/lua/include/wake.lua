-- Wake up to `count` parked workers: each leaves `idle` and takes a turn.
local function wake(queue, count)
  local parked = redis.call('SPOP', queue .. ':idle', count)
  for i = 1, #parked do
    redis.call('RPUSH', queue .. ':inbox:' .. parked[i], '')
  end
end
