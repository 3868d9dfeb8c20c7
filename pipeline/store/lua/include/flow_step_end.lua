-- A step has ended: its dependants may begin; when it failed and is not optional, the flow fails.
-- Needs flow_halt, flow_ready and flow_rest.
local function flow_step_end(flow, id, state, time, step)
  local how = redis.call('HGET', state, 'state')
  local bad, kind, next = unpack(redis.call('HMGET', state, step .. '.bad', step .. '.kind', step .. '.next'))
  local failed = tonumber(bad) > 0
  redis.call('HSET', state, step .. '.state', failed and (how == 'cancelling' and 'cancelled' or 'failed') or 'done')
  redis.call('HINCRBY', state, 'going', -1)
  if how == 'running' and failed and kind == '' then
    flow_halt(state, 'failing')
  elseif how == 'running' then
    for dependant in string.gmatch(next, '%S+') do
      if redis.call('HINCRBY', state, dependant .. '.left', -1) == 0 then flow_ready(state, dependant) end
    end
  end
  flow_rest(flow, id, state, time)
end
