#!lua flags=allow-oom
-- Look at a flow that does not move. Returns {its state, claims, definition, data, whether it is stopped, whether there
-- is more to see, members}, nil when it is not kept. The members are jobs that were made and whose end it has not heard
-- of, `most` of them in 5,000: {member, round} each, flat. The next look goes on where this one ends.
-- include now
-- include flow_answer
local flow = unpack(KEYS)
local id, by, most = unpack(ARGV)

local state, ends, time = flow .. ':state:' .. id, flow .. ':ends:' .. id, now()
local stop, definition, data, names = unpack(redis.call('HMGET', state, 'stop', 'definition', 'data', 'steps'))
if not definition then return nil end
local found, left, more = {}, 5, 0
most = tonumber(most)

-- Which of the jobs from number `first` on have not ended: 1,000 of them, up to `last`.
local function unheard(step, each, round, first, last)
  local members = {}
  for i = first, math.min(last, first + 999) do
    members[#members + 1] = each and step .. ':' .. string.format('%d', i) or step
  end
  if #members == 0 then return end
  local ended = redis.call('HMGET', ends, unpack(members))
  for i = 1, #members do
    if not ended[i] then
      found[#found + 1] = members[i]
      found[#found + 1] = round
    end
  end
end

for step in string.gmatch(names, '%S+') do
  local is, opened, total, round, each, looked = unpack(redis.call('HMGET', state, step .. '.state', step .. '.opened',
    step .. '.total', step .. '.round', step .. '.each', step .. '.looked'))
  local at, last = tonumber(looked or 0), (is == 'running' and total or opened) - 1
  if is == 'running' or is == 'ready' then
    while at <= last and left > 0 and #found < 2 * most do
      unheard(step, each, round, at, last)
      at, left = at + 1000, left - 1
    end
    if at <= last then more = 1 else at = 0 end
    redis.call('HSET', state, step .. '.looked', at)
  end
end
local how, claims = unpack(flow_answer(state, time, by))
return { how, claims, definition, data, stop and 1 or 0, more, found }
