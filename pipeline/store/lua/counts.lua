-- The figures of a queue. Returns {time, meta pairs, stats pairs, waiting, delayed, active, completed, dead,
-- cancelled, workers, parked, record of the oldest waiting job, enqueued ever, the fullest lanes and how many wait there}.
-- include now
-- include waiting
local queue = unpack(KEYS)

local oldest = false
local levels = redis.call('ZRANGE', queue .. ':levels', 0, -1)
for i = 1, #levels do
  if oldest then break end
  for _, id in ipairs(redis.call('LRANGE', queue .. ':wait:' .. levels[i], 0, 99)) do
    local mark = levels[i] .. ':' .. id
    if redis.call('HEXISTS', queue .. ':stale', mark) == 0 or redis.call('HEXISTS', queue .. ':ahead', mark) == 1 then
      oldest = id
      break
    end
  end
end

local lanes, full = redis.call('ZREVRANGE', queue .. ':lane_sizes', 0, 3, 'WITHSCORES'), {}
for i = 1, #lanes, 2 do
  if lanes[i] ~= '' then
    full[#full + 1] = lanes[i]
    full[#full + 1] = lanes[i + 1]
  end
end
if not oldest and full[1] then
  oldest = string.match(redis.call('ZRANGE', queue .. ':lane:' .. full[1], 0, 0)[1] or '', '^%d+ %-?%d+ (.+)$')
end

local active, workers = 0, redis.call('ZRANGE', queue .. ':workers', 0, -1)
for i = 1, #workers do
  active = active + math.max(redis.call('HLEN', queue .. ':active:' .. workers[i]) - 1, 0)
end
return {
  now(),
  redis.call('HGETALL', queue .. ':meta'),
  redis.call('HGETALL', queue .. ':stats'),
  waiting(queue),
  redis.call('ZCARD', queue .. ':delayed'),
  active,
  redis.call('LLEN', queue .. ':completed'),
  redis.call('ZCARD', queue .. ':dead'),
  redis.call('ZCARD', queue .. ':cancelled'),
  #workers,
  redis.call('SCARD', queue .. ':idle'),
  oldest and redis.call('HGET', queue .. ':jobs', oldest) or false,
  -- Our ids are counted by their counter, less those that a repeated call took in vain.
  (redis.call('GET', queue .. ':last_id') or 0) - (redis.call('HGET', queue .. ':stats', 'gaps') or 0)
    + (redis.call('HGET', queue .. ':stats', 'own') or 0),
  full,
}
