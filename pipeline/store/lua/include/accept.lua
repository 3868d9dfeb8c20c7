-- Take in the jobs behind `ARGV[at]`, 8 values each: id, level, due, key, window, mode, lane, record. An id of '' is made
-- here; due is '' (now), 'front' (now, before those that wait), '+ms' or a time; window is '' (until the job is done) or
-- ms; mode is '' or 'debounce': while the job that holds the key is delayed, and has not run, this record takes its place;
-- or 'keep_last': the same while it waits. lane is '' (none) or the lane that the job waits in.
-- `direct`: one alone may go straight to a parked worker. Returns id, status, id, status ...; a status is created,
-- duplicate or replaced, and the id is the one that stands. Needs hand_over, holder, lanes, put, wake, where and withdraw.
local function accept(queue, time, direct, at)
  local answers, own, repeated, nearer = {}, 0, 0, false

  local function taken(id)
    if id == '' then return false end
    if redis.call('HEXISTS', queue .. ':jobs', id) == 1 then return true end
    local forget = redis.call('ZSCORE', queue .. ':ids', id)
    return forget and tonumber(forget) > time
  end

  -- Whether the record of a job may still be another: it has not run, and waits, or for debounce is delayed.
  local function is_replaceable(id, mode)
    local state = mode ~= '' and redis.call('HEXISTS', queue .. ':runs', id) == 0 and where(queue, id)
    return state == 'delayed' or (state == 'waiting' and mode == 'keep_last')
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

  -- All that came together enter their lanes together.
  local entering, lanes = {}, {}
  local function enter_all()
    if #entering == 0 then return end
    enter_lanes(open_lanes_of(queue, time), entering, lanes)
    entering, lanes = {}, {}
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
    elseif not (direct and hand_over(queue, id, record)) then
      put(queue, level, { id }, due == 'front')
    end
  end

  -- Debounce begins the job's time anew; under keep_last it stays where it is, unless its level is another.
  local function replace(id, level, due, mode)
    if mode == 'debounce' then
      redis.call('HDEL', queue .. ':levelof', id)
      return delay(id, level, due)
    end
    enter_all()
    local before = string.match(redis.call('HGET', queue .. ':laned', id) or '', '^%w+ (%-?%d+)')
    if not before then
      redis.call('HSET', queue .. ':levelof', id, level)
    elseif before ~= level then
      withdraw(queue, time, 'waiting', id, before)
      arrive(queue, time, level, { id }, false)
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
      end
      repeated = repeated + 1
    else
      stands, status = id, 'created'
      if id == '' then
        stands = tostring(redis.call('INCR', queue .. ':last_id'))
      else
        own = own + 1
      end
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
  return answers
end
