-- How many more jobs may be active: `limit` less what all workers of the queue hold.
local function room(queue, limit)
  local workers = redis.call('ZRANGE', queue .. ':workers', 0, -1)
  for i = 1, #workers do
    limit = limit - math.max(redis.call('HLEN', queue .. ':active:' .. workers[i]) - 1, 0)
  end
  return math.max(limit, 0)
end
