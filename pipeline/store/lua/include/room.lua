-- How many more jobs may be taken, and when it is the time that bounds them, the ms until more may be. Fields
-- of `:meta`: how many may be active, the rate, and until when a handler put the queue on hold.
-- Needs window.
local function room(queue, time, limited, rate, held)
  if held and tonumber(held) > time then return 0, held - time end
  if held then redis.call('HDEL', queue .. ':meta', 'held') end
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
