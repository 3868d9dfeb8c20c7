-- As take, in a queue with lanes. A start counts in its lane's window, and lets the next one in. Needs take, lanes.
local function reopened(book)
  local opens = book.queue .. ':lane_opens'
  local names = redis.call('ZRANGEBYSCORE', opens, '-inf', book.time, 'LIMIT', 0, 100)
  -- A clock that went back leaves lanes that would open much too late.
  local late = redis.call('ZREVRANGE', opens, 0, 9, 'WITHSCORES')
  for i = 1, #late, 2 do
    if late[i + 1] - book.time > book.per then names[#names + 1] = late[i] end
  end
  if #names == 0 then return end
  read_lanes(book, names, #names)
  for i = 1, #names do
    local lane = book.lanes[names[i]]
    if not lane.held then
      redis.call('ZREM', opens, lane.name)
      let_in(book, lane, 10)
    end
  end
  put_all(book)
end

local function start(book, lane, lease, id)
  lane.listed = lane.listed - 1
  if book.starts > 0 then
    local starts = book.queue .. ':lane_starts:' .. lane.name
    redis.call('ZADD', starts, book.time, lease .. ' ' .. id)
    redis.call('PEXPIRE', starts, book.per)
  end
  let_in(book, lane, 10)
end

-- Its lane was put on hold after it had been let in.
local function send_back(book, lane, id)
  lane.listed, lane.inside = lane.listed - 1, lane.inside - 1
  enter_lane(book, lane, id, string.sub(redis.call('HGET', book.queue .. ':laned', id), 4), true)
end

local function take_in_lanes(queue, time, want, lease)
  local book, taken = open_lanes_of(queue, time), {}
  reopened(book)
  for _ = 1, 1000 do
    local ids = take(queue, want - #taken)
    if #ids == 0 then break end
    local names = redis.call('HMGET', queue .. ':lane_of', unpack(ids))
    read_lanes(book, names, #ids)
    for i = 1, #ids do
      local lane = names[i] and book.lanes[names[i]]
      if lane and lane.held then
        send_back(book, lane, ids[i])
      else
        taken[#taken + 1] = ids[i]
        if lane then start(book, lane, lease, ids[i]) end
      end
    end
    put_all(book)
    if #taken >= want then break end
  end
  close_lanes(book)
  return taken
end
