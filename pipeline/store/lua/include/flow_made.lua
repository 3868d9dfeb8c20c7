-- The jobs of a ready step are all made: it runs, and may have ended meanwhile. Needs flow_step_end.
local function flow_made(flow, id, state, time, step, total)
  redis.call('HSET', state, step .. '.state', 'running', step .. '.total', total)
  redis.call('HINCRBY', state, 'ready', -1)
  if tonumber(redis.call('HGET', state, step .. '.done')) >= tonumber(total) then
    flow_step_end(flow, id, state, time, step)
  end
end
