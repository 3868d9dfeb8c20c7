-- Take in the jobs behind `ARGV[at]`, 7 values each: id, level, due, key, window, mode, record. An id of '' is made here;
-- due is '' (now), 'front' (now, before those that wait), '+ms' or a time; window is '' (until the job is done) or ms;
-- mode is '' or 'debounce': while the job that holds the key is delayed, and has not run, this record takes its place.
-- `direct`: one alone may go straight to a parked worker. Returns id, status, id, status ...; a status is created,
-- duplicate or replaced, and the id is the one that stands. Needs hand_over, holder, put and wake.
local function accept(queue, time, direct, at)
  local answers, own, repeated, nearer = {}, 0, 0, false

  local function taken(id)
    if id == '' then return false end
    if redis.call('HEXISTS', queue .. ':jobs', id) == 1 then return true end
    local forget = redis.call('ZSCORE', queue .. ':ids', id)
    return forget and tonumber(forget) > time
  end

  local function is_untouched(id)
    return redis.call('ZSCORE', queue .. ':delayed', id) and redis.call('HEXISTS', queue .. ':runs', id) == 0
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

  local function place(id, level, due, record)
    if due ~= '' and due ~= 'front' and tonumber(due) > time then
      delay(id, level, due)
    elseif not (direct and hand_over(queue, id, record)) then
      put(queue, level, { id }, due == 'front')
    end
  end

  for i = at + 1, #ARGV, 7 do
    local id, level, due, key, window, mode, record = unpack(ARGV, i, i + 6)
    if string.sub(due, 1, 1) == '+' then due = string.format('%d', time + string.sub(due, 2)) end
    local stands, status = taken(id) and id or nil, 'duplicate'
    if not stands then
      stands = holder(queue, key)
      if stands and mode == 'debounce' then
        status = 'replaced'
        if not is_untouched(stands) then stands = nil end
      end
    end
    if stands then
      if status == 'replaced' then
        redis.call('HSET', queue .. ':jobs', stands, record)
        redis.call('HDEL', queue .. ':levelof', stands)
        delay(stands, level, due)
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
      place(stands, level, due, record)
    end
    answers[#answers + 1] = stands
    answers[#answers + 1] = status
  end

  if own > 0 then redis.call('HINCRBY', queue .. ':stats', 'own', own) end
  if repeated > 0 then redis.call('HINCRBY', queue .. ':stats', 'duplicates', repeated) end
  if nearer then
    wake(queue, 100)
  elseif redis.call('EXISTS', queue .. ':levels') == 1 then
    wake(queue, math.min(#answers / 2, 100))
  end
  return answers
end
