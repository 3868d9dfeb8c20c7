#!lua flags=allow-oom
-- Look at a flow that does not move. Returns {its state, claims, definition, data, whether it is stopped, members},
-- nil when it is not kept. The members are jobs that were made and not told of, those that were looked at longest ago
-- first, `most` of them: {member, round} each, flat.
-- include now
-- include flow
local flow = unpack(KEYS)
local id, by, most = unpack(ARGV)

local state, out, time = flow .. ':state:' .. id, flow .. ':out:' .. id, now()
local stop, definition, data = unpack(redis.call('HMGET', state, 'stop', 'definition', 'data'))
if not definition then return nil end
local members, looked, found, rounds = redis.call('ZRANGE', out, 0, most - 1), {}, {}, {}
for i = 1, #members do
  local step = string.match(members[i], '^[^:]+')
  rounds[step] = rounds[step] or redis.call('HGET', state, step .. '.round')
  found[2 * i - 1], found[2 * i] = members[i], rounds[step]
  looked[2 * i - 1], looked[2 * i] = time, members[i]
end
if #members > 0 then redis.call('ZADD', out, unpack(looked)) end
local how, claims = unpack(flow_answer(state, time, by))
return { how, claims, definition, data, stop and 1 or 0, found }
