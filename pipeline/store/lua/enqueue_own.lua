-- Store jobs that are alike but for the ids that they bring: one level, due now, no deduplication key. Repeated it adds
-- nothing, for as long as the ids are kept. Returns how many are new. Refuses when `generation` is not the one that runs.
-- include now
-- include put
-- include wake
-- include next_lease
-- include hand_over
local queue = unpack(KEYS)
local generation, level = unpack(ARGV)
-- rest: ids, then their records

local meta = redis.call('HMGET', queue .. ':meta', 'generation', 'paused', 'limited', 'rate', 'held')
if (meta[1] or '') ~= generation then return redis.error_reply('POLICY ' .. (meta[1] or '')) end

local fixed, time = 2, now()
local count = (#ARGV - fixed) / 2
local kept = redis.call('HMGET', queue .. ':jobs', unpack(ARGV, fixed + 1, fixed + count))
local taken = redis.call('ZMSCORE', queue .. ':ids', unpack(ARGV, fixed + 1, fixed + count))
local new, records = {}, {}
for i = 1, count do
  local id = ARGV[fixed + i]
  if not kept[i] and not (taken[i] and tonumber(taken[i]) > time) then
    new[#new + 1] = id
    records[#records + 1] = id
    records[#records + 1] = ARGV[fixed + count + i]
  end
end
if count > #new then redis.call('HINCRBY', queue .. ':stats', 'duplicates', count - #new) end
if #new == 0 then return 0 end

redis.call('HSET', queue .. ':jobs', unpack(records))
redis.call('HINCRBY', queue .. ':stats', 'own', #new)
local direct = #new == 1 and not (meta[2] or meta[3] or meta[4] or meta[5])
if direct and hand_over(queue, new[1], records[2]) then return 1 end
put(queue, level, new, false)
wake(queue, math.min(#new, 100))
return #new
