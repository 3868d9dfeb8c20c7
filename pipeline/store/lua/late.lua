#!lua flags=allow-oom
-- What was reserved under `lease` starts only now: in the windows of the rate limits, the queue's (see window) and that
-- of the lane of job `id`, it counts from now on. Returns in how many it still counted.
-- include now
-- include put
-- include lane_book
local queue = unpack(KEYS)
local lease, id = unpack(ARGV)

local time, counted = now(), 0
local per = string.match(redis.call('HGET', queue .. ':meta', 'rate') or '', ' (%d+)$')
if per and redis.call('ZSCORE', queue .. ':starts', lease) then
  redis.call('ZADD', queue .. ':starts', time, lease)
  redis.call('PEXPIRE', queue .. ':starts', per)
  redis.call('PEXPIRE', queue .. ':started', per)
  counted = 1
end
local lane = redis.call('HGET', queue .. ':lane_of', id)
if not lane then return counted end
local book, starts, start = open_lanes_of(queue, time), queue .. ':lane_starts:' .. lane, lease .. ' ' .. id
if book and redis.call('ZSCORE', starts, start) then
  redis.call('ZADD', starts, time, start)
  redis.call('PEXPIRE', starts, book.per)
  counted = counted + 1
end
return counted
