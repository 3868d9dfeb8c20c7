-- A job has ended: free its deduplication key, and remember its caller-given id for `keep` ms.
local function unlock(queue, time, id, key, keep)
  if key ~= '' and redis.call('GET', queue .. ':dedup:' .. key) == id then
    redis.call('DEL', queue .. ':dedup:' .. key)
  end
  if keep ~= '' then
    redis.call('ZADD', queue .. ':ids', time + keep, id)
  end
end
