-- As take, in a queue with lanes. A start counts in its lane's window, and lets the next one in. Needs take, lanes.
local function take_in_lanes(queue, time, want, lease)
  local rule, taken = lane_rule(queue), {}
  local opened = redis.call('ZRANGEBYSCORE', queue .. ':lane_opens', '-inf', time, 'LIMIT', 0, 100)
  -- A clock that went back leaves lanes that would open much too late.
  local late = redis.call('ZREVRANGE', queue .. ':lane_opens', 0, 9, 'WITHSCORES')
  for i = 1, #late, 2 do
    if late[i + 1] - time > rule.per and not lane_is_held(queue, time, late[i]) then opened[#opened + 1] = late[i] end
  end
  if #opened > 0 then redis.call('ZREM', queue .. ':lane_opens', unpack(opened)) end
  for i = 1, #opened do
    lane_is_held(queue, time, opened[i])
    let_in(queue, rule, time, opened[i], 10)
  end

  local function start(id, lane)
    lane_count(queue .. ':lane_listed', lane, -1)
    taken[#taken + 1] = id
    if rule.starts > 0 then
      redis.call('ZADD', queue .. ':lane_starts:' .. lane, time, lease .. ' ' .. id)
      redis.call('PEXPIRE', queue .. ':lane_starts:' .. lane, rule.per)
    end
    let_in(queue, rule, time, lane, 10)
  end

  -- Its lane was put on hold after it had been let in.
  local function send_back(id, lane)
    lane_count(queue .. ':lane_listed', lane, -1)
    lane_count(queue .. ':lane_in', lane, -1)
    local level = string.sub(redis.call('HGET', queue .. ':laned', id), 4)
    enter_lane(queue, rule, time, lane, id, level, true)
  end

  for _ = 1, 1000 do
    local ids = take(queue, want - #taken)
    if #ids == 0 then break end
    local lanes = redis.call('HMGET', queue .. ':lane_of', unpack(ids))
    for i = 1, #ids do
      if not lanes[i] then
        taken[#taken + 1] = ids[i]
      elseif lane_is_held(queue, time, lanes[i]) then
        send_back(ids[i], lanes[i])
      else
        start(ids[i], lanes[i])
      end
    end
    if #taken >= want then break end
  end
  return taken
end
