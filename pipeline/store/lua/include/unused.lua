-- A reserved job did not start after all: it gives back its place in the windows of the rates, the queue's and its
-- lane's (nil: it has none).
local function unused(queue, lane, id, lease)
  if redis.call('HEXISTS', queue .. ':started', lease) == 1 then
    redis.call('HINCRBY', queue .. ':started', lease, -1)
    redis.call('HINCRBY', queue .. ':started', 'all', -1)
  end
  if lane then redis.call('ZREM', queue .. ':lane_starts:' .. lane, lease .. ' ' .. id) end
end
