#!lua flags=allow-oom
-- Count attempts by the names of their jobs, where no turn does it.
-- include named
local queue = unpack(KEYS)
-- rest: (outcome:name, by) pairs

for i = 1, #ARGV, 2 do named(queue, ARGV[i], ARGV[i + 1]) end
return #ARGV / 2
