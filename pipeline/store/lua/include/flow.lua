-- What becomes of a flow when its steps move. `state` is the hash of one flow: `state`, `steps` (their names), `going`
-- (how many of them are ready or running), `ready` (how many wait until their jobs are made), and of each step
-- `NAME.state`, `.kind`, `.needs`, `.next` (who needs it), `.left` (how many of its needs have not ended), `.round`,
-- `.opened` (how many of its jobs are made), `.total`, `.done` (how many have ended), `.bad` (how many of these failed).
local function flow_ready(state, step)
  redis.call('HSET', state, step .. '.state', 'ready')
  redis.call('HINCRBY', state, 'going', 1)
  redis.call('HINCRBY', state, 'ready', 1)
end

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

-- Whether an on_failure step runs: one of its needs has failed, or it has none.
local function flow_applies(state, step)
  local needs = redis.call('HGET', state, step .. '.needs')
  for need in string.gmatch(needs, '%S+') do
    if redis.call('HGET', state, need .. '.state') == 'failed' then return true end
  end
  return needs == ''
end

-- When nothing goes on any more the flow ends, or begins what it has for its failure.
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

-- Nothing new begins: what is blocked is skipped. With `how` 'failing' the steps for the failure come later.
local function flow_halt(state, how)
  redis.call('HSET', state, 'state', how)
  for step in string.gmatch(redis.call('HGET', state, 'steps'), '%S+') do
    local is, kind = unpack(redis.call('HMGET', state, step .. '.state', step .. '.kind'))
    if is == 'blocked' and (kind ~= 'on_failure' or how == 'cancelling') then
      redis.call('HSET', state, step .. '.state', 'skipped')
    end
  end
end

-- A step has ended: its dependants may begin; when it failed and is not optional, the flow fails.
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

-- The jobs of a ready step are all made: it runs, and may have ended meanwhile.
local function flow_opened(flow, id, state, time, step, total)
  redis.call('HSET', state, step .. '.state', 'running', step .. '.total', total)
  redis.call('HINCRBY', state, 'ready', -1)
  if tonumber(redis.call('HGET', state, step .. '.done')) >= tonumber(total) then
    flow_step_end(flow, id, state, time, step)
  end
end

-- The ready steps that `by` is to make the jobs of: {step, opened, round} each, flat. Whoever does not go on for 5 s
-- loses them to others.
local function flow_claims(state, time, by)
  local claims = {}
  if tonumber(redis.call('HGET', state, 'ready')) == 0 then return claims end
  for step in string.gmatch(redis.call('HGET', state, 'steps'), '%S+') do
    local is, claim, opened, round =
      unpack(redis.call('HMGET', state, step .. '.state', step .. '.claim', step .. '.opened', step .. '.round'))
    if is == 'ready' then
      local ends, owner = string.match(claim or '', '^(%d+) (.+)$')
      if not ends or tonumber(ends) < time or tonumber(ends) > time + 5000 or owner == by then
        redis.call('HSET', state, step .. '.claim', string.format('%d %s', time + 5000, by))
        for _, value in ipairs({ step, opened, round }) do claims[#claims + 1] = value end
      end
    end
  end
  return claims
end

-- What whoever moved the flow is told: {its state, claims, definition, data}; the last two when there are claims.
local function flow_answer(state, time, by)
  local claims = flow_claims(state, time, by)
  local how = redis.call('HGET', state, 'state')
  if #claims == 0 then return { how, claims } end
  return { how, claims, redis.call('HGET', state, 'definition'), redis.call('HGET', state, 'data') }
end
