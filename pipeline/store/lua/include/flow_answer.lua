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
