-- How many more jobs may be taken, and when it is the time that bounds them, the ms until more may be. Fields
-- of `:meta`: how many may be active, the rate, and since when and until when a handler holds the queue.
-- Needs window.
local function room(queue, time, limited, rate, held)
  if held then
    local since, ends = string.match(held, '^(%d+) (%d+)$')
    -- One of the future is that of a clock that went back.
    if tonumber(since) <= time and time < tonumber(ends) then return 0, ends - time end
    redis.call('HDEL', queue .. ':meta', 'held')
  end
  local free, opens = 1000, nil
  if rate then free, opens = window(queue, time, rate) end
  if limited then
    local workers = redis.call('ZRANGE', queue .. ':workers', 0, -1)
    limited = tonumber(limited)
    for i = 1, #workers do
      limited = limited - math.max(redis.call('HLEN', queue .. ':active:' .. workers[i]) - 1, 0)
    end
    if limited < free then free, opens = math.max(limited, 0), nil end
  end
  return free, opens
end
