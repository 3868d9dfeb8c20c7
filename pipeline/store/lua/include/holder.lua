-- The id that holds a deduplication key; nil when none does. A key without an end counts as long as its job is
-- kept: whoever purged the job may have been gone before the key was freed.
local function holder(queue, key)
  local id = key ~= '' and redis.call('GET', queue .. ':dedup:' .. key)
  if not id then return nil end
  local kept = redis.call('HEXISTS', queue .. ':jobs', id) == 1
  if kept or redis.call('PTTL', queue .. ':dedup:' .. key) > 0 then return id end
  return nil
end
