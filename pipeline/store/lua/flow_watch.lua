#!lua flags=allow-oom
-- What needs a supervisor: {flows whose time is over, flows that did not move for `quiet` ms, how many were forgotten}, 20,
-- 100 and 200 at most. Those that are named count as moved, so that one supervisor looks at each. Of ended flows
-- `count` are kept, for `age` ms; '' is no bound.
-- include now
local flow = unpack(KEYS)
local quiet, count, age = unpack(ARGV)

local time = now()
local due = redis.call('ZRANGEBYSCORE', flow .. ':due', '-inf', time, 'LIMIT', 0, 20)
local still = redis.call('ZRANGEBYSCORE', flow .. ':open', '-inf', time - quiet, 'LIMIT', 0, 100)
for i = 1, #still do redis.call('ZADD', flow .. ':open', time, still[i]) end

local ended, old = flow .. ':ended', {}
if age ~= '' then old = redis.call('ZRANGEBYSCORE', ended, '-inf', time - age, 'LIMIT', 0, 200) end
local over = count ~= '' and redis.call('ZCARD', ended) - count or 0
if over > #old then old = redis.call('ZRANGE', ended, 0, math.min(over, 200) - 1) end
for i = 1, #old do
  redis.call('ZREM', ended, old[i])
  redis.call('UNLINK', flow .. ':state:' .. old[i], flow .. ':ends:' .. old[i], flow .. ':bad:' .. old[i])
end
return { due, still, #old }
