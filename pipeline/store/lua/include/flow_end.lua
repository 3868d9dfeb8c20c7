-- A flow ends as `how`.
local function flow_end(flow, id, state, time, how)
  for step in string.gmatch(redis.call('HGET', state, 'steps'), '%S+') do
    local is = redis.call('HGET', state, step .. '.state')
    if is == 'blocked' then redis.call('HSET', state, step .. '.state', 'skipped') end
  end
  redis.call('HSET', state, 'state', how, 'finished_at', time)
  redis.call('HINCRBY', flow .. ':stats', how, 1)
  redis.call('ZREM', flow .. ':open', id)
  redis.call('ZREM', flow .. ':due', id)
  redis.call('ZADD', flow .. ':ended', time, id)
end
