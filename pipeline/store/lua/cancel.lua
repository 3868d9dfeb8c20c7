#!lua flags=allow-oom
-- Withdraw a job, or have it stopped when it runs. Returns the state it was in.
-- include now
-- include tell
-- include put
-- include wake
-- include lane_book
-- include lane_room
-- include lanes
-- include where
-- include level_of
-- include withdraw
-- include unlock
-- include cancel
local queue = unpack(KEYS)
local id, level, key, keep, outcome = unpack(ARGV)

return cancel(queue, now(), id, level, key, keep, outcome)
