-- Whether an on_failure step runs: one of its needs has failed, or it has none.
local function flow_applies(state, step)
  local needs = redis.call('HGET', state, step .. '.needs')
  for need in string.gmatch(needs, '%S+') do
    if redis.call('HGET', state, need .. '.state') == 'failed' then return true end
  end
  return needs == ''
end

-- When nothing goes on any more the flow ends, or begins what it has for its failure. Needs flow_end
-- and flow_ready.
local function flow_rest(flow, id, state, time)
  local going, how = unpack(redis.call('HMGET', state, 'going', 'state'))
  if tonumber(going) > 0 then return end
  if how == 'running' then return flow_end(flow, id, state, time, 'completed') end
  if how == 'cancelling' then return flow_end(flow, id, state, time, 'cancelled') end
  if how == 'failing' then
    redis.call('HSET', state, 'state', 'handling')
    redis.call('HDEL', state, 'stop')
    for step in string.gmatch(redis.call('HGET', state, 'steps'), '%S+') do
      if redis.call('HGET', state, step .. '.kind') == 'on_failure' then
        if flow_applies(state, step) then
          flow_ready(state, step)
        else
          redis.call('HSET', state, step .. '.state', 'skipped')
        end
      end
    end
    if tonumber(redis.call('HGET', state, 'going')) > 0 then return end
  end
  flow_end(flow, id, state, time, 'failed')
end
