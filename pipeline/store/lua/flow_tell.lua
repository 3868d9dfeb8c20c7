#!lua flags=allow-oom
-- Jobs of one step have ended. What is told again, or belongs to a round before, changes nothing. Without a step it is
-- only asked what is to be made. Returns {its state, claims, definition, data} (see flow_answer), nil when the flow is not kept.
-- include now
-- include flow_ready
-- include flow_end
-- include flow_rest
-- include flow_halt
-- include flow_step_end
-- include flow_answer
local flow = unpack(KEYS)
local id, by, step, round = unpack(ARGV)
-- rest: member, end for each job. A member is the step, or step:index. An end is 'c' and the result, 'f' or 'x'
-- (cancelled) and the error, as JSON.

local state, ends, time, fixed = flow .. ':state:' .. id, flow .. ':ends:' .. id, now(), 4
if redis.call('EXISTS', state) == 0 then return nil end
local is, now_round = unpack(redis.call('HMGET', state, step .. '.state', step .. '.round'))
if (is == 'ready' or is == 'running') and now_round == round then
  local members, n = {}, 0
  for i = fixed + 1, #ARGV, 2 do
    n = n + 1
    members[n] = ARGV[i]
  end
  local before, new, count, failed = redis.call('HMGET', ends, unpack(members)), {}, 0, 0
  for i = 1, n do
    local member, ended = members[i], ARGV[fixed + 2 * i]
    if not before[i] then
      new[2 * count + 1], new[2 * count + 2] = member, ended
      count = count + 1
      if string.byte(ended) ~= 99 then
        failed = failed + 1
        redis.call('SADD', flow .. ':bad:' .. id, member)
        redis.call('HSETNX', state, step .. '.error', ended)
      end
    end
  end
  if count > 0 then
    redis.call('HSET', ends, unpack(new))
    redis.call('ZADD', flow .. ':open', time, id)
    if failed > 0 then redis.call('HINCRBY', state, step .. '.bad', failed) end
    local done, total = redis.call('HINCRBY', state, step .. '.done', count), redis.call('HGET', state, step .. '.total')
    if is == 'running' and done >= tonumber(total) then flow_step_end(flow, id, state, time, step) end
  end
end
return flow_answer(state, time, by)
