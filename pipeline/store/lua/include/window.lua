-- A sliding window, exact: `rate` is "max per", at most so many starts within any `per` ms. Returns how many more may
-- start now; when none may, also the ms until one may. `:starts` holds each reservation (by its lease number) at its
-- time, `:started` how many jobs it took, and `all` of them.
local function window(queue, time, rate)
  local starts, started = queue .. ':starts', queue .. ':started'
  local max, per = string.match(rate, '^(%d+) (%d+)$')
  local past = redis.call('ZRANGEBYSCORE', starts, '-inf', time - per, 'LIMIT', 0, 1000)
  if #past > 0 then
    local sum = 0
    for _, count in ipairs(redis.call('HMGET', started, unpack(past))) do sum = sum + count end
    redis.call('ZREM', starts, unpack(past))
    redis.call('HDEL', started, unpack(past))
    redis.call('HINCRBY', started, 'all', -sum)
  end
  local free = max - (redis.call('HGET', started, 'all') or 0)
  if free > 0 then return free end
  -- Starts of the future are those of a clock that went back.
  local newest = redis.call('ZRANGE', starts, -1, -1, 'WITHSCORES')
  if #newest == 0 or tonumber(newest[2]) > time then
    redis.call('DEL', starts, started)
    return tonumber(max)
  end
  return 0, redis.call('ZRANGE', starts, 0, 0, 'WITHSCORES')[2] + per - time
end
