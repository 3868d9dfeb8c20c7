#!lua flags=allow-oom
-- Free what purged jobs held: their deduplication keys, and their own ids after `keep` ms. Returns nothing.
-- include now
-- include unlock
local queue = unpack(KEYS)
-- rest: id, key, keep for each job

local time = now()
for i = 1, #ARGV, 3 do
  unlock(queue, time, ARGV[i], ARGV[i + 1], ARGV[i + 2])
end
