-- Lease one job straight to a parked worker. Returns whether there was one. A worker whose lease has ended may
-- be gone, and one that finds others waiting must not overtake them: those are only woken. Needs now, next_lease and wake.
local function hand_over(queue, id, record)
  local time
  for _ = 1, 10 do
    local worker = redis.call('SPOP', queue .. ':idle')
    if not worker then return false end
    local inbox = queue .. ':inbox:' .. worker
    local ends = redis.call('ZSCORE', queue .. ':workers', worker)
    time = time or now()
    if redis.call('EXISTS', queue .. ':levels') == 1 then
      redis.call('RPUSH', inbox, '')
      return false
    elseif ends and tonumber(ends) > time then
      local lease = next_lease(queue, time)
      redis.call('HSET', queue .. ':active:' .. worker, id, lease)
      redis.call('RPUSH', inbox, lease .. ' ' .. id .. ' ' .. record)
      return true
    elseif ends then
      redis.call('RPUSH', inbox, '')
    end
  end
  wake(queue, 100)
  return false
end
