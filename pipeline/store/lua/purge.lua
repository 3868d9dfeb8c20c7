#!lua flags=allow-oom
-- Delete up to `count` waiting jobs. Their deduplication keys and own ids are freed by the caller's next
-- step, from the records. Returns {ids, records, whether more may wait}.
-- include now
-- include tell
-- include put
-- include wake
-- include lane_book
-- include lane_room
-- include lanes
-- include take
-- include drop
local queue = unpack(KEYS)
local count = unpack(ARGV)

local ids = take(queue, tonumber(count))
local listed = #ids > 0
if #ids == 0 then ids = redis.call('LPOP', queue .. ':alone', count) or {} end
if #ids == 0 then
  -- What time alone holds back in a lane.
  local fullest = redis.call('ZREVRANGE', queue .. ':lane_sizes', 0, 1)
  local lane = fullest[1] == '' and fullest[2] or fullest[1]
  local members = lane and redis.call('ZRANGE', queue .. ':lane:' .. lane, 0, count - 1) or {}
  for i = 1, #members do ids[i] = string.match(members[i], '^%d+ %-?%d+ (.+)$') end
end
local let = #ids > 0 and leave_lanes(queue, now(), ids, listed) or 0
if let > 0 then wake(queue, let) end
local more = redis.call('EXISTS', queue .. ':levels', queue .. ':alone', queue .. ':lane_sizes')
if #ids == 0 then return { ids, ids, more } end
local records = redis.call('HMGET', queue .. ':jobs', unpack(ids))
drop(queue, ids)
redis.call('HINCRBY', queue .. ':stats', 'purged', #ids)
tell(queue, redis.call('HGET', queue .. ':meta', 'watched'), 'removed', ids)
return { ids, records, more }
