#!lua flags=allow-oom
-- The schedules of a queue, as a generation has them: those that it lacks are forgotten. A new one, and one with another
-- rhythm, begins now; one with other bounds goes on from now. An older generation than the one that runs changes nothing.
-- include now
local queue = unpack(KEYS)
local generation = unpack(ARGV)
-- rest: name, rhythm, bounds for each schedule

local schedules, fixed = queue .. ':schedules', 1
local runs = tonumber(redis.call('HGET', queue .. ':meta', 'generation') or 0)
if tonumber(generation) < runs then return 0 end
local kept = {}
for i = fixed + 1, #ARGV, 3 do kept[ARGV[i]] = true end
for _, field in ipairs(redis.call('HKEYS', schedules)) do
  if not kept[string.match(field, '^(.*):%l+$')] then redis.call('HDEL', schedules, field) end
end

local time = string.format('%d', now())
for i = fixed + 1, #ARGV, 3 do
  local name, rhythm, bounds = unpack(ARGV, i, i + 2)
  local before = redis.call('HMGET', schedules, name .. ':rhythm', name .. ':bounds')
  if before[1] ~= rhythm then
    for _, field in ipairs({ 'fired', 'skipped', 'missed', 'ran', 'job' }) do
      redis.call('HDEL', schedules, name .. ':' .. field)
    end
  end
  if before[1] ~= rhythm or before[2] ~= bounds then
    redis.call('HSET', schedules, name .. ':rhythm', rhythm, name .. ':bounds', bounds, name .. ':after', time)
  end
end
return 1
