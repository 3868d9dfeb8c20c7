-- Count `by` more attempts at jobs of one name that ended one way ("completed:refund"). Names are the callers', so that
-- there is an end to them: what is new when there are many is counted without its name.
local function named(queue, field, by)
  local names = queue .. ':names'
  if redis.call('HINCRBY', names, field, by) == tonumber(by) and redis.call('HLEN', names) > 200 then
    redis.call('HDEL', names, field)
    redis.call('HINCRBY', names, string.match(field, '^%a+:'), by)
  end
end
