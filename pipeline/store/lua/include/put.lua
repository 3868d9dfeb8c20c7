-- Make the jobs `ids` takeable at `level`: at the end of the list, or at its front. At the front they may stand
-- before an entry of their own that is stale: the first one that is met counts then.
local function put(queue, level, ids, front)
  local length = redis.call(front and 'LPUSH' or 'RPUSH', queue .. ':wait:' .. level, unpack(ids))
  if length == #ids then
    redis.call('ZADD', queue .. ':levels', -level, level)
  end
  if not front or redis.call('EXISTS', queue .. ':stale') == 0 then return end
  for i = 1, #ids do
    local mark = level .. ':' .. ids[i]
    if redis.call('HEXISTS', queue .. ':stale', mark) == 1 then redis.call('HSET', queue .. ':ahead', mark, '') end
  end
end
