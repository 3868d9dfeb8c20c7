#!lua flags=allow-oom
-- List what a worker holds so that it can be taken back; nothing new is handed to it meanwhile.
-- mode: dead (its process is known to be gone), lapsed (only if its lease has ended), still (it lives but
-- stands still: it may go on later). Returns {ids, leases, records, runs}; nil when there is no such worker
-- or its lease holds.
-- include now
-- include held
-- include wake
local queue = unpack(KEYS)
local worker, mode = unpack(ARGV)

local ends = redis.call('ZSCORE', queue .. ':workers', worker)
if not ends or (mode == 'lapsed' and tonumber(ends) > now()) then return false end
redis.call('SREM', queue .. ':idle', worker)
redis.call('DEL', queue .. ':inbox:' .. worker)
-- Its inbox may have held the wake-up for a job that waits.
if redis.call('EXISTS', queue .. ':levels') == 1 then wake(queue, 1) end
if mode ~= 'still' then redis.call('HDEL', queue .. ':turns', worker) end
local ids = held(queue, worker)
if #ids == 0 then return { {}, {}, {}, {} } end
return {
  ids,
  redis.call('HMGET', queue .. ':active:' .. worker, unpack(ids)),
  redis.call('HMGET', queue .. ':jobs', unpack(ids)),
  redis.call('HMGET', queue .. ':runs', unpack(ids)),
}
