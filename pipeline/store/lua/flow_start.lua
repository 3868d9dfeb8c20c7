-- Begin a flow, unless there is one of that id. Returns {status, its state, claims, definition, data} (see flow_answer);
-- the status is created or duplicate, and nil when it was removed from the file. `call` marks the caller's call, which
-- may be repeated. `generation` is the one that the definition belongs to, `limit` in ms or ''.
-- The hash of a flow has its `state`, `steps` (their names), `going` (how many of them are ready or running), `ready` (how
-- many wait until their jobs are made), and of each step NAME.state, .kind, .needs, .next (who needs it), .left (how many
-- of its needs have not ended), .round, .opened (how many of its jobs are made), .total, .done (how many have ended), .bad
-- (how many of these failed), .error (the first of them), .claim, .looked.
-- include now
-- include flow_ready
-- include flow_answer
local flow = unpack(KEYS)
local id, call, generation, limit, definition, data = unpack(ARGV)
-- rest: name, kind, each, needs, next for each step. The kind is '', optional or on_failure; each is '' for a step that
-- is one job; names of steps are joined by spaces.

local runs = redis.call('HGET', flow .. ':meta', 'generation')
if (runs or '') ~= generation then return redis.error_reply('POLICY ' .. (runs or '')) end
local time, state, fixed = now(), flow .. ':state:' .. id, 6
local first = redis.call('HGET', state, 'call')
if first then
  redis.call('HSET', state, 'call', first) -- a write, so that it can be confirmed
  return { first == call and 'created' or 'duplicate', unpack(flow_answer(state, time, call)) }
end

local names = {}
redis.call('HSET', state, 'call', call, 'state', 'running', 'definition', definition, 'data', data, 'limit', limit,
  'started_at', time, 'going', 0, 'ready', 0)
for i = fixed + 1, #ARGV, 5 do
  local step, kind, each, needs, next = unpack(ARGV, i, i + 4)
  local _, left = string.gsub(needs, '%S+', '')
  names[#names + 1] = step
  redis.call('HSET', state, step .. '.state', 'blocked', step .. '.kind', kind, step .. '.needs', needs,
    step .. '.next', next, step .. '.left', left, step .. '.round', 1, step .. '.opened', 0, step .. '.done', 0,
    step .. '.bad', 0)
  if each ~= '' then redis.call('HSET', state, step .. '.each', each) end
  if left == 0 and kind ~= 'on_failure' then flow_ready(state, step) end
end
redis.call('HSET', state, 'steps', table.concat(names, ' '))
redis.call('ZADD', flow .. ':open', time, id)
if limit ~= '' then redis.call('ZADD', flow .. ':due', time + limit, id) end
redis.call('HINCRBY', flow .. ':stats', 'started', 1)
return { 'created', unpack(flow_answer(state, time, call)) }
