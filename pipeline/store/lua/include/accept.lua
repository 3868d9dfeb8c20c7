-- Take in the jobs behind `ARGV[at]`, 8 values each: id, level, due, key, window, mode, lane, record. An id of '' is made
-- here; due is '' (now), 'front' (now, before those that wait), '+ms' or a time; window is '' (until the job is done) or
-- ms; mode is '' or 'debounce': while the job that holds the key is delayed, and has not run, this record takes its place;
-- or 'keep_last': the same while it waits. lane is '' (none) or the lane that the job waits in.
-- `direct`: one alone may go straight to a parked worker. Returns id, status, id, status ...; a status is created,
-- duplicate or replaced, and the id is the one that stands. Needs hand_over, holder, lanes, put, shift, tell, wake and where.
local function accept(queue, time, direct, at, watched)
  local answers, own, repeated, nearer = {}, 0, 0, false
  local came, changed, given = {}, {}, {}

  local function taken(id)
    if id == '' then return false end
    if redis.call('HEXISTS', queue .. ':jobs', id) == 1 then return true end
    local forget = redis.call('ZSCORE', queue .. ':ids', id)
    return forget and tonumber(forget) > time
  end

  -- All that came together enter their lanes together.
  local entering, lanes = {}, {}
  local function enter_all()
    if #entering == 0 then return end
    enter_lanes(open_lanes_of(queue, time), entering, lanes)
    entering, lanes = {}, {}
  end

  -- Whether the record of a job may still be another: it has not run, and is delayed, or for keep_last waits (in a lane:
  -- nobody knows here at which level another waits).
  local function is_replaceable(id, mode)
    enter_all()
    local state = redis.call('HEXISTS', queue .. ':runs', id) == 0 and where(queue, id)
    if state == 'waiting' then return mode == 'keep_last' and redis.call('HEXISTS', queue .. ':laned', id) == 1 end
    return state == 'delayed'
  end

  local function lock(key, window, id)
    if window == '' then
      redis.call('SET', queue .. ':dedup:' .. key, id)
    else
      redis.call('SET', queue .. ':dedup:' .. key, id, 'PX', window)
    end
  end

  local function delay(id, level, due)
    redis.call('ZADD', queue .. ':delayed', due, id)
    if level ~= '0' then redis.call('HSET', queue .. ':levelof', id, level) end
    nearer = nearer or redis.call('ZRANGE', queue .. ':delayed', 0, 0)[1] == id
  end

  local function place(id, level, due, lane, record)
    if lane ~= '' then
      redis.call('HSET', queue .. ':lane_of', id, lane)
      -- Until a generation says what holds for lanes, they are narrow, for turns as well.
      redis.call('HSETNX', queue .. ':meta', 'lanes', '1 0 0 1 0')
    end
    if due ~= '' and due ~= 'front' and tonumber(due) > time then
      delay(id, level, due)
    elseif lane ~= '' then
      entering[#entering + 1] = { level, id, due == 'front' }
      lanes[#lanes + 1] = lane
    elseif direct and hand_over(queue, id, record) then
      given[1] = id
    else
      put(queue, level, { id }, due == 'front')
    end
  end

  -- Debounce begins the job's time anew; under keep_last it stays where it is, unless its level is another.
  local function replace(id, level, due, mode)
    local laned = redis.call('HGET', queue .. ':laned', id)
    local before = laned and string.match(laned, '^%w+ (%-?%d+)') or redis.call('HGET', queue .. ':levelof', id) or '0'
    if before ~= level then redis.call('HSET', queue .. ':moved', id, level) end
    if mode == 'debounce' then
      redis.call('HDEL', queue .. ':levelof', id)
      delay(id, level, due)
    elseif laned then
      if before ~= level then shift(queue, time, id, laned, level, false) end
    elseif level == '0' then
      redis.call('HDEL', queue .. ':levelof', id)
    else
      redis.call('HSET', queue .. ':levelof', id, level)
    end
  end

  for i = at + 1, #ARGV, 8 do
    local id, level, due, key, window, mode, lane, record = unpack(ARGV, i, i + 7)
    if string.sub(due, 1, 1) == '+' then due = string.format('%d', time + string.sub(due, 2)) end
    local stands, status = taken(id) and id or nil, 'duplicate'
    if not stands then
      stands = holder(queue, key)
      if stands and mode ~= '' then
        status = 'replaced'
        if not is_replaceable(stands, mode) then stands = nil end
      end
    end
    if stands then
      if status == 'replaced' then
        redis.call('HSET', queue .. ':jobs', stands, record)
        replace(stands, level, due, mode)
        lock(key, window, stands)
        changed[#changed + 1] = stands
      end
      repeated = repeated + 1
    else
      stands, status = id, 'created'
      if id == '' then
        stands = tostring(redis.call('INCR', queue .. ':last_id'))
      else
        own = own + 1
      end
      came[#came + 1] = stands
      redis.call('HSET', queue .. ':jobs', stands, record)
      if key ~= '' then lock(key, window, stands) end
      place(stands, level, due, lane, record)
    end
    answers[#answers + 1] = stands
    answers[#answers + 1] = status
  end

  enter_all()
  if own > 0 then redis.call('HINCRBY', queue .. ':stats', 'own', own) end
  if repeated > 0 then redis.call('HINCRBY', queue .. ':stats', 'duplicates', repeated) end
  if nearer then
    wake(queue, 100)
  elseif redis.call('EXISTS', queue .. ':levels') == 1 then
    wake(queue, math.min(#answers / 2, 100))
  end
  tell(queue, watched, 'enqueued', came)
  tell(queue, watched, 'changed', changed)
  tell(queue, watched, 'active', given)
  return answers
end
