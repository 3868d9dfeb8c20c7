#!lua flags=allow-oom
-- Stop a flow: `how` is 'cancelling' or 'failing' (its time is over, as `error` says). What is blocked is skipped, what
-- was made is to be cancelled by the caller (see flow_look). Returns the state that it was in, nil when it is not kept.
-- include now
-- include flow_ready
-- include flow_end
-- include flow_rest
-- include flow_halt
-- include flow_step_end
-- include flow_made
local flow = unpack(KEYS)
local id, how, error = unpack(ARGV)

local state, time = flow .. ':state:' .. id, now()
local was = redis.call('HGET', state, 'state')
redis.call('ZREM', flow .. ':due', id)
if was ~= 'running' and was ~= 'failing' and was ~= 'handling' then return was end
if how == 'failing' and was ~= 'running' then return was end
flow_halt(state, how)
redis.call('HSET', state, 'stop', 1)
if error ~= '' then redis.call('HSET', state, 'error', error) end
redis.call('ZADD', flow .. ':open', time, id)
local ready = {}
for step in string.gmatch(redis.call('HGET', state, 'steps'), '%S+') do
  if redis.call('HGET', state, step .. '.state') == 'ready' then ready[#ready + 1] = step end
end
for _, step in ipairs(ready) do
  -- Somebody may be making its next jobs: they are looked for like those that are known.
  local opened, each = unpack(redis.call('HMGET', state, step .. '.opened', step .. '.each'))
  flow_made(flow, id, state, time, step, each and opened + 1000 or 1)
end
flow_rest(flow, id, state, time)
return was
