#!lua flags=allow-oom
-- Make a policy the one that counts, with its generation. `limited` is the queue's max_active, `rate` its rate
-- limit (see window); '' is none.
-- An older generation than the one that runs changes nothing. Returns the generation that runs.
-- include wake
local queue = unpack(KEYS)
local generation, policy, limited, rate = unpack(ARGV)

local runs = tonumber(redis.call('HGET', queue .. ':meta', 'generation') or 0)
if tonumber(generation) < runs then return runs end
redis.call('HSET', queue .. ':meta', 'generation', generation, 'policy', policy)
redis.call('HDEL', queue .. ':meta', 'removed')
for field, value in pairs({ limited = limited, rate = rate }) do
  if value == '' then
    redis.call('HDEL', queue .. ':meta', field)
  else
    redis.call('HSET', queue .. ':meta', field, value)
  end
end
wake(queue, 1000)
return tonumber(generation)
