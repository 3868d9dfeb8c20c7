-- The number of the next lease, as text. It follows the clock, so that none comes again when a server is back with an
-- older state: what a worker holds from before must not pass for what was leased since.
local function next_lease(queue, time)
  local last = tonumber(redis.call('GET', queue .. ':last_lease') or 0)
  local lease = string.format('%d', math.max(last + 1, time * 1000))
  redis.call('SET', queue .. ':last_lease', lease)
  return lease
end
