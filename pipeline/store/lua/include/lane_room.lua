-- Whether a lane has room for one more job (see lanes). Needs wake.

-- Field `lanes` of `:meta`: "max_active starts per strict fair", 0 is no limit. nil: the queue has no
-- lanes.
local function lane_rule(queue)
  local text = redis.call('HGET', queue .. ':meta', 'lanes')
  if not text then return nil end
  local max, starts, per, strict, fair = string.match(text, '^(%d+) (%d+) (%d+) (%d) (%d)$')
  return {
    max = max == '0' and math.huge or tonumber(max),
    starts = tonumber(starts),
    per = tonumber(per),
    strict = strict == '1',
    fair = fair == '1',
  }
end

local function lane_count(key, lane, by)
  if redis.call('HINCRBY', key, lane, by) <= 0 then redis.call('HDEL', key, lane) end
end

local function lane_size(queue, lane, by)
  for _, member in ipairs({ lane, '' }) do
    if tonumber(redis.call('ZINCRBY', queue .. ':lane_sizes', by, member)) <= 0 then
      redis.call('ZREM', queue .. ':lane_sizes', member)
    end
  end
end

-- Look at the lane again at `opens`. Whoever is parked sleeps until what was next before.
local function lane_later(queue, lane, opens)
  redis.call('ZADD', queue .. ':lane_opens', opens, lane)
  if redis.call('ZRANGE', queue .. ':lane_opens', 0, 0)[1] == lane then wake(queue, 1) end
end

-- A hold of the future is that of a clock that went back.
local function lane_is_held(queue, time, lane)
  local held = redis.call('HGET', queue .. ':lane_held', lane)
  if not held then return false end
  local since, ends = string.match(held, '^(%d+) (%d+)$')
  if tonumber(since) <= time and time < tonumber(ends) then return true end
  redis.call('HDEL', queue .. ':lane_held', lane)
  return false
end

-- Whether the lane's window has room for one more start, beside those that were let in and will start.
local function lane_may_start(queue, rule, time, lane, listed)
  local starts = queue .. ':lane_starts:' .. lane
  redis.call('ZREMRANGEBYSCORE', starts, '-inf', time - rule.per)
  redis.call('ZREMRANGEBYSCORE', starts, string.format('(%d', time), '+inf') -- of a clock that went back
  if redis.call('ZCARD', starts) + listed < rule.starts then return true end
  local oldest = redis.call('ZRANGE', starts, 0, 0, 'WITHSCORES')[2]
  if oldest then lane_later(queue, lane, oldest + rule.per) end
  return false
end

local function lane_has_room(queue, rule, time, lane)
  if tonumber(redis.call('HGET', queue .. ':lane_in', lane) or 0) >= rule.max then return false end
  local listed = tonumber(redis.call('HGET', queue .. ':lane_listed', lane) or 0)
  if rule.fair and listed > 0 then return false end
  if lane_is_held(queue, time, lane) then return false end
  return rule.starts == 0 or lane_may_start(queue, rule, time, lane, listed)
end
