#!lua flags=allow-oom
-- Jobs of a flow have ended. What is told again, or belongs to a round before, changes nothing. Returns {its state,
-- claims, definition, data} (see flow), nil when the flow is not kept.
-- include now
-- include flow
local flow = unpack(KEYS)
local id, by = unpack(ARGV)
-- rest: member, step, round, end for each job. A member is the step, or step:index. An end is 'c' and the result,
-- 'f' or 'x' (cancelled) and the error, as JSON.

local state, ends, out = flow .. ':state:' .. id, flow .. ':ends:' .. id, flow .. ':out:' .. id
local how, fixed, time = redis.call('HGET', state, 'state'), 2, now()
if not how then return nil end
if #ARGV == fixed then return flow_answer(state, time, by) end

local members, rounds, new, gone, bad, done, failed = {}, {}, {}, {}, {}, {}, {}
for i = fixed + 1, #ARGV, 4 do
  local step = ARGV[i + 1]
  members[#members + 1] = ARGV[i]
  if not done[step] then
    local is, round = unpack(redis.call('HMGET', state, step .. '.state', step .. '.round'))
    rounds[step] = (is == 'ready' or is == 'running') and round
    done[step], failed[step] = 0, 0
  end
end
local before, seen = redis.call('HMGET', ends, unpack(members)), {}
for i = fixed + 1, #ARGV, 4 do
  local member, step, round, ended = unpack(ARGV, i, i + 3)
  if rounds[step] == round and not before[(i - fixed + 3) / 4] and not seen[member] then
    seen[member] = true
    new[#new + 1], new[#new + 2], gone[#gone + 1] = member, ended, member
    done[step] = done[step] + 1
    if string.sub(ended, 1, 1) ~= 'c' then
      failed[step] = failed[step] + 1
      bad[#bad + 1] = member
      redis.call('HSETNX', state, step .. '.error', ended)
    end
  end
end
if #gone > 0 then
  redis.call('HSET', ends, unpack(new))
  redis.call('ZREM', out, unpack(gone))
  if #bad > 0 then redis.call('SADD', flow .. ':bad:' .. id, unpack(bad)) end
  redis.call('ZADD', flow .. ':open', time, id)
  for step, count in pairs(done) do
    local all = count > 0 and redis.call('HINCRBY', state, step .. '.done', count)
    if failed[step] > 0 then redis.call('HINCRBY', state, step .. '.bad', failed[step]) end
    local is, total = unpack(redis.call('HMGET', state, step .. '.state', step .. '.total'))
    if all and is == 'running' and all >= tonumber(total) then flow_step_end(flow, id, state, time, step) end
  end
end
return flow_answer(state, time, by)
