-- `count` jobs start under `lease`: they count in the window of `rate` (see window), which is forgotten after it.
local function started(queue, time, rate, lease, count)
  local per = string.match(rate, ' (%d+)$')
  redis.call('ZADD', queue .. ':starts', time, lease)
  redis.call('HSET', queue .. ':started', lease, count)
  redis.call('HINCRBY', queue .. ':started', 'all', count)
  redis.call('PEXPIRE', queue .. ':starts', per)
  redis.call('PEXPIRE', queue .. ':started', per)
end
