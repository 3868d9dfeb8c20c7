-- Store jobs that are alike but for the ids that they bring: one level, due now, no deduplication key. `mark` stands for
-- all of them: for `keep` ms such a call adds nothing when it is repeated. Without it each id is looked at, which is
-- remembered after its job ended. Returns how many are new. Refuses when `generation` is not the one that runs.
-- include now
-- include tell
-- include put
-- include wake
-- include lane_book
-- include lane_room
-- include lanes
-- include next_lease
-- include hand_over
local queue = unpack(KEYS)
local generation, level, mark, keep, laned = unpack(ARGV)
-- rest: ids, then their records, then with `laned` the lane of each ('': none)

local meta = redis.call('HMGET', queue .. ':meta', 'generation', 'paused', 'limited', 'rate', 'held', 'watched')
if (meta[1] or '') ~= generation then return redis.error_reply('POLICY ' .. (meta[1] or '')) end

local fixed, time = 5, now()
local count = (#ARGV - fixed) / (laned == '1' and 3 or 2)
local known = mark ~= '' and redis.call('ZSCORE', queue .. ':ids', mark)
if known and tonumber(known) > time then
  redis.call('HINCRBY', queue .. ':stats', 'duplicates', count)
  return 0
end
local kept, taken = redis.call('HMGET', queue .. ':jobs', unpack(ARGV, fixed + 1, fixed + count)), {}
if mark == '' then
  taken = redis.call('ZMSCORE', queue .. ':ids', unpack(ARGV, fixed + 1, fixed + count))
else
  redis.call('ZADD', queue .. ':ids', time + keep, mark)
end
local new, records, lanes, n = {}, {}, {}, 0
for i = 1, count do
  if not kept[i] and not (taken[i] and tonumber(taken[i]) > time) then
    n = n + 1
    new[n] = ARGV[fixed + i]
    records[2 * n - 1], records[2 * n] = new[n], ARGV[fixed + count + i]
    local lane = laned == '1' and ARGV[fixed + 2 * count + i] or ''
    if lane ~= '' then
      lanes[#lanes + 1] = new[n]
      lanes[#lanes + 1] = lane
    end
  end
end
if count > n then redis.call('HINCRBY', queue .. ':stats', 'duplicates', count - n) end
if n == 0 then return 0 end

redis.call('HSET', queue .. ':jobs', unpack(records))
redis.call('HINCRBY', queue .. ':stats', 'own', n)
local direct = n == 1 and laned == '' and not (meta[2] or meta[3] or meta[4] or meta[5])
tell(queue, meta[6], 'enqueued', new)
if direct and hand_over(queue, new[1], records[2]) then
  tell(queue, meta[6], 'active', new)
  return 1
end
if #lanes > 0 then
  redis.call('HSET', queue .. ':lane_of', unpack(lanes))
  redis.call('HSETNX', queue .. ':meta', 'lanes', '1 0 0 1 0')
end
arrive(queue, time, level, new, false)
wake(queue, math.min(n, 100))
return n
