-- The ids of the jobs that a worker holds; '' is the field that pads the hash.
local function held(queue, worker)
  local ids = {}
  for _, id in ipairs(redis.call('HKEYS', queue .. ':active:' .. worker)) do
    if id ~= '' then ids[#ids + 1] = id end
  end
  return ids
end
