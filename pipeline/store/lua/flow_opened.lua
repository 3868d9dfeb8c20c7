#!lua flags=allow-oom
-- The first `made` of the `total` jobs of a ready step are on their queue. An `error` instead means that no more can be
-- made: the step fails. Returns as flow_tell; its state is 'stopped' when nobody wants these jobs any more, 'made' when
-- others made them all.
-- include now
-- include flow_ready
-- include flow_end
-- include flow_rest
-- include flow_halt
-- include flow_step_end
-- include flow_made
-- include flow_answer
local flow = unpack(KEYS)
local id, by, step, round, made, total, error = unpack(ARGV)

local state, time = flow .. ':state:' .. id, now()
local stop, is, now_round, opened = unpack(
  redis.call('HMGET', state, 'stop', step .. '.state', step .. '.round', step .. '.opened'))
if not is or stop then return { 'stopped', {} } end
if is ~= 'ready' or now_round ~= round then return { 'made', {} } end

if error ~= '' then
  redis.call('HSETNX', state, step .. '.error', error)
  redis.call('HINCRBY', state, step .. '.bad', 1)
  made, total = opened, opened
end
opened = math.max(tonumber(opened), tonumber(made))
redis.call('HSET', state, step .. '.opened', opened, step .. '.claim', string.format('%d %s', time + 5000, by))
redis.call('ZADD', flow .. ':open', time, id)
if opened >= tonumber(total) then flow_made(flow, id, state, time, step, total) end
return flow_answer(state, time, by)
