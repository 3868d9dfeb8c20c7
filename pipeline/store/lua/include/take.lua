-- Pop up to `want` waiting ids, the highest level first. List entries marked stale (their job was
-- cancelled, removed or moved) are skipped; at most 1,000 of them a call.
local function take(queue, want)
  local levels, stale = queue .. ':levels', queue .. ':stale'
  local taken, skipped, marked = {}, 0, redis.call('EXISTS', stale) == 1
  while #taken < want and skipped < 1000 do
    local level = redis.call('ZRANGE', levels, 0, 0)[1]
    if not level then break end
    local missing = want - #taken
    local ids = redis.call('LPOP', queue .. ':wait:' .. level, missing) or {}
    if #ids < missing then redis.call('ZREM', levels, level) end
    for i = 1, #ids do
      local mark = level .. ':' .. ids[i]
      local skip = marked and redis.call('HEXISTS', stale, mark) == 1
      if skip and redis.call('HDEL', queue .. ':ahead', mark) == 0 then
        skipped = skipped + 1
        if redis.call('HINCRBY', stale, mark, -1) == 0 then redis.call('HDEL', stale, mark) end
      else
        taken[#taken + 1] = ids[i]
      end
    end
  end
  return taken
end
