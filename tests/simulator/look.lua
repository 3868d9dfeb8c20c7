-- Where every job of a queue is, and who is parked: the whole state that promises are made about.
local queue = KEYS[1]

local levels = {}
for _, level in ipairs(redis.call('ZRANGE', queue .. ':levels', 0, -1)) do
  levels[#levels + 1] = { level, redis.call('LRANGE', queue .. ':wait:' .. level, 0, -1) }
end
local workers = redis.call('ZRANGE', queue .. ':workers', 0, -1, 'WITHSCORES')
local held = {}
for i = 1, #workers, 2 do
  held[#held + 1] = {
    workers[i],
    workers[i + 1],
    redis.call('HGETALL', queue .. ':active:' .. workers[i]),
    redis.call('LLEN', queue .. ':inbox:' .. workers[i]),
  }
end
local sizes, lanes = redis.call('ZRANGE', queue .. ':lane_sizes', 0, -1, 'WITHSCORES'), {}
for i = 1, #sizes, 2 do
  if sizes[i] ~= '' then
    lanes[#lanes + 1] = { sizes[i], redis.call('ZRANGE', queue .. ':lane:' .. sizes[i], 0, -1) }
  end
end
return {
  redis.call('HGETALL', queue .. ':jobs'),
  redis.call('ZRANGE', queue .. ':delayed', 0, -1, 'WITHSCORES'),
  redis.call('ZRANGE', queue .. ':dead', 0, -1),
  redis.call('ZRANGE', queue .. ':cancelled', 0, -1),
  redis.call('LRANGE', queue .. ':completed', 0, -1),
  redis.call('LRANGE', queue .. ':alone', 0, -1),
  levels,
  redis.call('HGETALL', queue .. ':stale'),
  held,
  redis.call('SMEMBERS', queue .. ':idle'),
  redis.call('HMGET', queue .. ':meta', 'paused', 'limited', 'removed', 'generation', 'rate', 'held', 'lanes'),
  redis.call('HGETALL', queue .. ':levelof'),
  {
    redis.call('HGETALL', queue .. ':lane_of'),
    redis.call('HGETALL', queue .. ':laned'),
    redis.call('HGETALL', queue .. ':lane_in'),
    redis.call('HGETALL', queue .. ':lane_listed'),
    sizes,
    redis.call('ZRANGE', queue .. ':lane_opens', 0, -1),
    redis.call('HKEYS', queue .. ':lane_held'),
    lanes,
  },
}
