-- Forget the starts between two times; returns how many jobs those were.
local function forget_starts(queue, from, to)
  local leases = redis.call('ZRANGEBYSCORE', queue .. ':starts', from, to, 'LIMIT', 0, 1000)
  if #leases == 0 then return 0 end
  local sum = 0
  for _, count in ipairs(redis.call('HMGET', queue .. ':started', unpack(leases))) do sum = sum + count end
  redis.call('ZREM', queue .. ':starts', unpack(leases))
  redis.call('HDEL', queue .. ':started', unpack(leases))
  redis.call('HINCRBY', queue .. ':started', 'all', 0 - sum) -- `-sum` may be -0, which Redis 7.0 takes for no integer
  return sum
end

-- A sliding window, exact: `rate` is "max per", at most so many starts within any `per` ms. Returns how many more may
-- start now; when none may, also the ms until one may. `:starts` holds each reservation (by its lease number) at its
-- time, `:started` how many jobs it took, and `all` of them.
local function window(queue, time, rate)
  local max, per = string.match(rate, '^(%d+) (%d+)$')
  forget_starts(queue, '-inf', time - per)
  local free = max - (redis.call('HGET', queue .. ':started', 'all') or 0)
  -- Starts of the future are those of a clock that went back.
  if free <= 0 then free = free + forget_starts(queue, string.format('(%d', time), '+inf') end
  if free > 0 then return free end
  return 0, redis.call('ZRANGE', queue .. ':starts', 0, 0, 'WITHSCORES')[2] + per - time
end
