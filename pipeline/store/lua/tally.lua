#!lua flags=allow-oom
-- Add to the totals of a project. Returns how many of them rose.
local totals = unpack(KEYS)
-- rest: (name, by) pairs

for i = 1, #ARGV, 2 do redis.call('HINCRBY', totals, ARGV[i], ARGV[i + 1]) end
return #ARGV / 2
