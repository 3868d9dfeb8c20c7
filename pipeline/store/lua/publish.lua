#!lua flags=allow-oom
-- Make a policy the one that counts, with its generation. `limited` is the queue's max_active, or ''.
-- An older generation than the one that runs changes nothing. Returns the generation that runs.
-- include wake
local queue = unpack(KEYS)
local generation, policy, limited = unpack(ARGV)

local runs = tonumber(redis.call('HGET', queue .. ':meta', 'generation') or 0)
if tonumber(generation) < runs then return runs end
redis.call('HSET', queue .. ':meta', 'generation', generation, 'policy', policy)
redis.call('HDEL', queue .. ':meta', 'removed')
if limited == '' then
  redis.call('HDEL', queue .. ':meta', 'limited')
else
  redis.call('HSET', queue .. ':meta', 'limited', limited)
end
wake(queue, 1000)
return tonumber(generation)
