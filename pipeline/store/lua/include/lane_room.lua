-- Whether a lane has room for one more job. Needs lane_book and wake.

-- Look at the lane again at `opens`. Whoever is parked sleeps until what was next before.
local function lane_later(queue, name, opens)
  redis.call('ZADD', queue .. ':lane_opens', opens, name)
  if redis.call('ZRANGE', queue .. ':lane_opens', 0, 0)[1] == name then wake(queue, 1) end
end

-- Whether the lane's window has room for one more start, beside those that were let in and will start.
local function may_start(book, lane)
  local starts = book.queue .. ':lane_starts:' .. lane.name
  redis.call('ZREMRANGEBYSCORE', starts, '-inf', book.time - book.per)
  redis.call('ZREMRANGEBYSCORE', starts, string.format('(%d', book.time), '+inf') -- of a clock that went back
  if redis.call('ZCARD', starts) + lane.listed < book.starts then return true end
  local oldest = redis.call('ZRANGE', starts, 0, 0, 'WITHSCORES')[2]
  if oldest then lane_later(book.queue, lane.name, oldest + book.per) end
  return false
end

local function has_room(book, lane)
  if lane.inside >= book.max or lane.held or (book.fair and lane.listed > 0) then return false end
  return book.starts == 0 or may_start(book, lane)
end
