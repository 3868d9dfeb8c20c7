-- Make the jobs `ids` takeable at `level`: at the end of the list, or at its front.
local function put(queue, level, ids, front)
  local length = redis.call(front and 'LPUSH' or 'RPUSH', queue .. ':wait:' .. level, unpack(ids))
  if length == #ids then
    redis.call('ZADD', queue .. ':levels', -level, level)
  end
end
