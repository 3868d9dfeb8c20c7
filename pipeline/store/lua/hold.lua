#!lua flags=allow-oom
-- What a worker holds, for one that lost an answer or stood still. Older turns are refused from now on,
-- it is not parked, and its inbox is empty: what lay there is among the jobs.
-- Returns {time, ids, leases, records, runs}, or GONE. STALE: a later turn was seen already, and may have parked it.
-- include now
-- include held
local queue = unpack(KEYS)
local worker, number = unpack(ARGV)

local last = redis.call('HGET', queue .. ':turns', worker)
if not last then return redis.error_reply('GONE this worker was reclaimed') end
if tonumber(number) <= tonumber(last) then return redis.error_reply('STALE turn ' .. number) end
redis.call('HSET', queue .. ':turns', worker, number)
redis.call('SREM', queue .. ':idle', worker)
redis.call('DEL', queue .. ':inbox:' .. worker)
local ids = held(queue, worker)
if #ids == 0 then return { now(), {}, {}, {}, {} } end
return {
  now(),
  ids,
  redis.call('HMGET', queue .. ':active:' .. worker, unpack(ids)),
  redis.call('HMGET', queue .. ':jobs', unpack(ids)),
  redis.call('HMGET', queue .. ':runs', unpack(ids)),
}
