#!lua flags=allow-oom
-- Resume a flow that failed or was cancelled at the steps that did not end well. At most 1,000 ends are forgotten a call.
-- Returns {its state, whether there is more to forget, claims, definition, data}; nil when it is not kept. A flow that
-- has not ended, or completed, stays as it is.
-- include now
-- include flow_ready
-- include flow_answer
local flow = unpack(KEYS)
local id, by = unpack(ARGV)

local state, time = flow .. ':state:' .. id, now()
local was, limit, names = unpack(redis.call('HMGET', state, 'state', 'limit', 'steps'))
if not was then return nil end
if was ~= 'failed' and was ~= 'cancelled' then return { was, 0, {} } end

-- Failed ends of optional steps stay: what needed them has run.
local again, kinds = {}, {}
for step in string.gmatch(names, '%S+') do
  local is, kind = unpack(redis.call('HMGET', state, step .. '.state', step .. '.kind'))
  kinds[step] = kind
  again[step] = kind == 'on_failure' or is == 'cancelled' or (is == 'failed' and kind == '')
end
local failed = redis.call('SPOP', flow .. ':bad:' .. id, 1000)
for i = 1, #failed do
  local step = string.match(failed[i], '^[^:]+')
  if again[step] and kinds[step] ~= 'on_failure' then
    redis.call('HDEL', flow .. ':ends:' .. id, failed[i])
    redis.call('HINCRBY', state, step .. '.done', -1)
  end
end
if #failed == 1000 then return { was, 1, {} } end

redis.call('HSET', state, 'state', 'running', 'going', 0, 'ready', 0)
redis.call('HDEL', state, 'finished_at', 'error', 'stop')
for step in string.gmatch(names, '%S+') do
  local is = redis.call('HGET', state, step .. '.state')
  if again[step] then
    redis.call('HINCRBY', state, step .. '.round', 1)
    redis.call('HSET', state, step .. '.opened', 0, step .. '.bad', 0)
    redis.call('HDEL', state, step .. '.error', step .. '.claim', step .. '.total')
    if kinds[step] == 'on_failure' then
      redis.call('HDEL', flow .. ':ends:' .. id, step)
      redis.call('HSET', state, step .. '.done', 0, step .. '.state', 'blocked')
    else
      flow_ready(state, step)
    end
  elseif is == 'skipped' then
    redis.call('HSET', state, step .. '.state', 'blocked')
  end
end
for step in string.gmatch(names, '%S+') do
  if kinds[step] ~= 'on_failure' and redis.call('HGET', state, step .. '.state') == 'blocked' then
    local left = 0
    for need in string.gmatch(redis.call('HGET', state, step .. '.needs'), '%S+') do
      local is = redis.call('HGET', state, need .. '.state')
      if is ~= 'done' and is ~= 'failed' then left = left + 1 end
    end
    redis.call('HSET', state, step .. '.left', left)
    if left == 0 then flow_ready(state, step) end
  end
end
redis.call('ZREM', flow .. ':ended', id)
redis.call('ZADD', flow .. ':open', time, id)
if limit ~= '' then redis.call('ZADD', flow .. ':due', time + limit, id) end
redis.call('HINCRBY', flow .. ':stats', 'retried', 1)
local how, claims, definition, data = unpack(flow_answer(state, time, by))
return { was, 0, claims, definition, data }
