-- Lease one job straight to a parked worker. Returns whether there was one.
-- A parked worker whose lease has ended is only woken: it may be gone.
local function hand_over(queue, time, id, record)
  for _ = 1, 10 do
    local worker = redis.call('SPOP', queue .. ':idle')
    if not worker then return false end
    local ends = redis.call('ZSCORE', queue .. ':workers', worker)
    if ends and tonumber(ends) > time then
      local lease = redis.call('INCR', queue .. ':last_lease')
      redis.call('HSET', queue .. ':active:' .. worker, id, lease)
      redis.call('RPUSH', queue .. ':inbox:' .. worker, lease .. ' ' .. id .. ' ' .. record)
      return true
    end
    if ends then redis.call('RPUSH', queue .. ':inbox:' .. worker, '') end
  end
  return false
end
