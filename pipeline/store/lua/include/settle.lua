-- Carry out `count` moves that start behind `ARGV[at]`, 9 values each:
-- move, id, lease, level, delay, runs, outcome, key, keep. A move whose lease is not held is refused. `unused` gives a
-- job back that did not start, `hold` one that stops its lane, or the queue, for `delay`; `front` and `back` tell where
-- others wait. Returns the refused ids, and the others by what happened to them: an end, `retry` or `released`. A delayed
-- job that is now the next to come due wakes whoever is parked, since they sleep until the one before.
-- Needs keep_back, lanes, stopped, unlock, unused and wake.
local function settle(queue, worker, time, at, count)
  local refused, became, active = {}, {}, queue .. ':active:' .. worker
  local released = { front = true, unused = true, hold = true, alone = true }
  local stops, lanes = redis.call('EXISTS', queue .. ':stops') == 1, redis.call('EXISTS', queue .. ':laned') == 1
  local strict = lanes and open_lanes_of(queue, time).strict
  for i = at + 1, at + 9 * count, 9 do
    local move, id, lease, level, delay, runs, outcome, key, keep = unpack(ARGV, i, i + 8)
    if redis.call('HGET', active, id) ~= lease then
      refused[#refused + 1] = id
    else
      redis.call('HDEL', active, id)
      if stops then move, outcome, key, keep = stopped(queue, id, move, outcome, key, keep) end
      if runs ~= '' then redis.call('HSET', queue .. ':runs', id, runs) end
      local event = released[move] and 'released' or (move == 'delayed' or move == 'back') and 'retry' or move
      became[event] = became[event] or {}
      table.insert(became[event], id)
      if move == 'completed' or move == 'dead' or move == 'cancelled' then
        redis.call('HSET', queue .. ':outcomes', id, outcome)
        redis.call('HINCRBY', queue .. ':stats', move, 1)
        unlock(queue, time, id, key, keep)
        if lanes then leave_lanes(queue, time, { id }, false) end
        if move == 'completed' then
          redis.call('LPUSH', queue .. ':completed', id)
        else
          redis.call('ZADD', queue .. ':' .. move, time, id)
        end
      elseif move == 'delayed' then
        if lanes and not strict then leave_lanes(queue, time, { id }, false) end
        redis.call('ZADD', queue .. ':delayed', time + delay, id)
        if level ~= '0' then redis.call('HSET', queue .. ':levelof', id, level) end
        if redis.call('ZRANGE', queue .. ':delayed', 0, 0)[1] == id then wake(queue, 100) end
      elseif move == 'alone' then
        redis.call('RPUSH', queue .. ':alone', id)
      else
        local lane = lanes and redis.call('HGET', queue .. ':lane_of', id) or nil
        if move == 'unused' then
          unused(queue, lane, id, lease)
        elseif move == 'hold' then
          keep_back(queue, lane, time, delay)
        end
        arrive(queue, time, level, { id }, move ~= 'back')
      end
    end
  end
  return refused, became
end
