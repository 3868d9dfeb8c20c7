#!lua flags=allow-oom
-- Make a policy the one that counts, with its generation. `limited` is the queue's max_active, `rate` its rate
-- limit (see window), `lanes` what holds for each lane (see lanes); '' is none.
-- An older generation than the one that runs changes nothing. Returns the generation that runs.
-- include wake
local queue = unpack(KEYS)
local generation, policy, limited, rate, lanes = unpack(ARGV)

local runs = tonumber(redis.call('HGET', queue .. ':meta', 'generation') or 0)
if tonumber(generation) < runs then return runs end
redis.call('HSET', queue .. ':meta', 'generation', generation, 'policy', policy)
redis.call('HDEL', queue .. ':meta', 'removed')
-- Jobs that came under a lane leave it as they are let in.
if lanes == '' and redis.call('EXISTS', queue .. ':laned') == 1 then lanes = '0 0 0 0 0' end
for field, value in pairs({ limited = limited, rate = rate, lanes = lanes }) do
  if value == '' then
    redis.call('HDEL', queue .. ':meta', field)
  else
    redis.call('HSET', queue .. ':meta', field, value)
  end
end
wake(queue, 1000)
return tonumber(generation)
