-- Lanes: what holds for each key apart. Of a lane's jobs those that were let in stand where turns take them, or are
-- active; the others wait in the lane's own sorted set. For a job that has a lane and has not ended `:laned` holds
-- 'in', or its member of that set: "place level id". `:lane_in` counts by lane who was let in, `:lane_listed` who of
-- them waits to be taken, `:lane_sizes` who waits in the lane ('' is their sum); `:lane_opens` is when time lets in
-- the next. Needs lane_room, put and wake.

local function lane_is_in(state) return state and string.sub(state, 1, 3) == 'in ' end

local function lane_admit(queue, lane, id, level)
  redis.call('HSET', queue .. ':laned', id, 'in ' .. level)
  lane_count(queue .. ':lane_in', lane, 1)
  lane_count(queue .. ':lane_listed', lane, 1)
end

-- Let in who waits in the lane, as far as there is room, `most` at most. Where turns are fair they stand behind what
-- waits of other lanes; otherwise before it, for they came earlier, unless one of their own lane stands there.
-- Returns how many.
local function let_in(queue, rule, time, lane, most)
  local waits, admitted = queue .. ':lane:' .. lane, {}
  if redis.call('EXISTS', waits) == 0 then return 0 end
  local front = not rule.fair and redis.call('HEXISTS', queue .. ':lane_listed', lane) == 0
  while #admitted < most and redis.call('EXISTS', waits) == 1 and lane_has_room(queue, rule, time, lane) do
    local level, id = string.match(redis.call('ZPOPMIN', waits)[1], '^%d+ (%-?%d+) (.+)$')
    lane_admit(queue, lane, id, level)
    admitted[#admitted + 1] = { level, id }
  end
  if #admitted > 0 then lane_size(queue, lane, -#admitted) end
  for i = 1, #admitted do
    local level, id = unpack(admitted[front and #admitted + 1 - i or i])
    put(queue, level, { id }, front)
  end
  return #admitted
end

local function enter_lane(queue, rule, time, lane, id, level, front)
  local waits = queue .. ':lane:' .. lane
  if redis.call('EXISTS', waits) == 0 and lane_has_room(queue, rule, time, lane) then
    lane_admit(queue, lane, id, level)
    return put(queue, level, { id }, front)
  end
  local number = redis.call('INCR', queue .. ':lane_place')
  local member = string.format('%016d %s %s', 4e15 + (front and -number or number), level, id)
  redis.call('ZADD', waits, rule.strict and 0 or -level, member)
  redis.call('HSET', queue .. ':laned', id, member)
  lane_size(queue, lane, 1)
end

-- The jobs `ids` become takeable, each as far as its lane lets it.
local function arrive(queue, time, level, ids, front)
  local rule = redis.call('EXISTS', queue .. ':lane_of') == 1 and lane_rule(queue)
  if not rule then return put(queue, level, ids, front) end
  local lanes = redis.call('HMGET', queue .. ':lane_of', unpack(ids))
  local states = redis.call('HMGET', queue .. ':laned', unpack(ids))
  for i = 1, #ids do
    if lanes[i] and not lane_is_in(states[i]) then
      enter_lane(queue, rule, time, lanes[i], ids[i], level, front)
    else
      if lanes[i] then lane_count(queue .. ':lane_listed', lanes[i], 1) end
      put(queue, level, { ids[i] }, front)
    end
  end
end

-- The jobs `ids` have nothing to do with their lanes any more; `listed`: they wait to be taken. Returns how many
-- others were let in.
local function leave_lanes(queue, time, ids, listed)
  local lanes = redis.call('HMGET', queue .. ':lane_of', unpack(ids))
  local states = redis.call('HMGET', queue .. ':laned', unpack(ids))
  local freed, let = {}, 0
  for i = 1, #ids do
    local lane, state = lanes[i], states[i]
    if lane and state then
      redis.call('HDEL', queue .. ':laned', ids[i])
      if lane_is_in(state) then
        lane_count(queue .. ':lane_in', lane, -1)
        if listed then lane_count(queue .. ':lane_listed', lane, -1) end
        freed[#freed + 1] = lane
      else
        redis.call('ZREM', queue .. ':lane:' .. lane, state)
        lane_size(queue, lane, -1)
      end
    end
  end
  if #freed == 0 then return 0 end
  local rule = lane_rule(queue)
  for i = 1, #freed do let = let + let_in(queue, rule, time, freed[i], 10) end
  return let
end
