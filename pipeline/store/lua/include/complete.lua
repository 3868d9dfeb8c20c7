-- Settle the `done` completed jobs that stand behind `ARGV[at]`: their ids, their leases as `runs` pairs of (lease,
-- how many in a row), then (id, outcome) of the last `kept` of them; the others are forgotten at once. Then the `unlocks`.
-- Returns the refused ids. Needs drop, lanes, unlock_all.
local function complete(queue, time, active, at, done, runs, kept, unlocks)
  local held, refused, place = redis.call('HMGET', active, unpack(ARGV, at + 1, at + done)), {}, 0
  for run = at + done + 1, at + done + 2 * runs, 2 do
    local lease = ARGV[run]
    for _ = 1, ARGV[run + 1] do
      place = place + 1
      if held[place] ~= lease then refused[#refused + 1] = ARGV[at + place] end
    end
  end
  local outcomes, completed, lost = at + done + 2 * runs, queue .. ':completed', {}
  if #refused == 0 then
    redis.call('HDEL', active, unpack(ARGV, at + 1, at + done))
    if redis.call('EXISTS', queue .. ':stops', queue .. ':laned') > 0 then
      redis.call('HDEL', queue .. ':stops', unpack(ARGV, at + 1, at + done))
      leave_lanes(queue, time, { unpack(ARGV, at + 1, at + done) }, false)
    end
    if done > kept then drop(queue, { unpack(ARGV, at + 1, at + done - kept) }, true) end
    if kept > 0 then
      redis.call('HSET', queue .. ':outcomes', unpack(ARGV, outcomes + 1, outcomes + 2 * kept))
      redis.call('LPUSH', completed, unpack(ARGV, at + done - kept + 1, at + done))
    end
  else
    for i = 1, #refused do lost[refused[i]] = true end
    for i = 1, done do
      local id, nth = ARGV[at + i], i - (done - kept)
      if not lost[id] then
        redis.call('HDEL', active, id)
        redis.call('HDEL', queue .. ':stops', id)
        leave_lanes(queue, time, { id }, false)
        if nth > 0 then
          redis.call('HSET', queue .. ':outcomes', id, ARGV[outcomes + 2 * nth])
          redis.call('LPUSH', completed, id)
        else
          drop(queue, { id }, true)
        end
      end
    end
  end
  if unlocks > 0 then unlock_all(queue, time, outcomes + 2 * kept, unlocks, lost) end
  if done > #refused then redis.call('HINCRBY', queue .. ':stats', 'completed', done - #refused) end
  return refused
end
