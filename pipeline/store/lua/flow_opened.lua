#!lua flags=allow-oom
-- The jobs of a ready step from number `first` on are made, `count` of them (1,000 at most), `total` in all. `each` is ''
-- for a step that is one job. An `error` instead means that no more can be made: the step fails.
-- Returns as flow_tell; its state is 'stopped' when nobody wants these jobs any more, 'made' when others made them all.
-- include now
-- include flow
local flow = unpack(KEYS)
local id, by, step, round, first, count, total, each, error = unpack(ARGV)

local state, ends, out = flow .. ':state:' .. id, flow .. ':ends:' .. id, flow .. ':out:' .. id
local stop, is, now_round, opened = unpack(
  redis.call('HMGET', state, 'stop', step .. '.state', step .. '.round', step .. '.opened'))
local time = now()
if not is or stop then return { 'stopped', {} } end
if is ~= 'ready' or now_round ~= round then return { 'made', {} } end

first, count, total, opened = tonumber(first), tonumber(count), tonumber(total), tonumber(opened)
if error ~= '' then
  redis.call('HSETNX', state, step .. '.error', error)
  redis.call('HINCRBY', state, step .. '.bad', 1)
  total = opened
end
if count > 0 then
  local members, missing = {}, {}
  for i = 1, count do members[i] = each == '' and step or step .. ':' .. string.format('%d', first + i - 1) end
  local ended = redis.call('HMGET', ends, unpack(members))
  for i = 1, count do
    if not ended[i] then
      missing[#missing + 1] = time
      missing[#missing + 1] = members[i]
    end
  end
  if #missing > 0 then redis.call('ZADD', out, unpack(missing)) end
  opened = math.max(opened, first + count)
end
redis.call('HSET', state, step .. '.opened', opened, step .. '.claim', string.format('%d %s', time + 5000, by))
redis.call('ZADD', flow .. ':open', time, id)
if opened >= total then flow_opened(flow, id, state, time, step, total) end
return flow_answer(state, time, by)
