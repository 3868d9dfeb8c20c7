#!lua flags=allow-oom
-- The supervisor's sign that these workers live: their leases hold for another `lease` ms.
-- Returns the workers that were reclaimed meanwhile.
-- include now
local queue = unpack(KEYS)
local lease = unpack(ARGV)
-- rest: workers

local gone, until_ = {}, now() + lease
for i = 2, #ARGV do
  if redis.call('HEXISTS', queue .. ':turns', ARGV[i]) == 1 then
    redis.call('ZADD', queue .. ':workers', until_, ARGV[i])
  else
    gone[#gone + 1] = ARGV[i]
  end
end
return gone
