#!lua flags=allow-oom
-- Delete up to `count` waiting jobs. Their deduplication keys and own ids are freed by the caller's next
-- step, from the records. Returns {ids, records, whether more may wait}.
-- include now
-- include tell
-- include take
-- include drop
local queue = unpack(KEYS)
local count = unpack(ARGV)

local ids = take(queue, tonumber(count))
if #ids == 0 then ids = redis.call('LPOP', queue .. ':alone', count) or {} end
local more = redis.call('EXISTS', queue .. ':levels', queue .. ':alone')
if #ids == 0 then return { ids, ids, more } end
local records = redis.call('HMGET', queue .. ':jobs', unpack(ids))
drop(queue, ids)
redis.call('HINCRBY', queue .. ':stats', 'purged', #ids)
tell(queue, redis.call('HGET', queue .. ':meta', 'watched'), 'removed', ids)
return { ids, records, more }
