-- The lanes that a script deals with: read all at once, counted in Lua, written all at once. See lanes.lua.

-- nil: the queue has no lanes. Field `lanes` of `:meta` is "max_active starts per strict fair", 0 is no limit.
local function open_lanes_of(queue, time)
  local text = redis.call('HGET', queue .. ':meta', 'lanes')
  if not text then return nil end
  local max, starts, per, strict, fair = string.match(text, '^(%d+) (%d+) (%d+) (%d) (%d)$')
  return {
    queue = queue,
    time = time,
    max = max == '0' and math.huge or tonumber(max),
    starts = tonumber(starts),
    per = tonumber(per),
    strict = strict == '1',
    fair = fair == '1',
    lanes = {}, -- by name: `inside` were let in, `listed` of them are not taken yet, `waiting` are not let in
    read = {}, -- the same in order
    states = {}, -- what `:laned` is to say: id, state, id, state ...
    puts = {}, -- who becomes takeable: {level, id, front}
  }
end

-- A hold of the future is that of a clock that went back.
local function is_held(book, name, held)
  if not held then return false end
  local since, ends = string.match(held, '^(%d+) (%d+)$')
  if tonumber(since) <= book.time and book.time < tonumber(ends) then return true end
  redis.call('HDEL', book.queue .. ':lane_held', name)
  return false
end

-- `names` may have holes.
local function read_lanes(book, names, count)
  local new = {}
  for i = 1, count do
    local name = names[i]
    if name and not book.lanes[name] then
      new[#new + 1] = name
      book.lanes[name] = { name = name, waits = book.queue .. ':lane:' .. name }
    end
  end
  if #new == 0 then return end
  local inside = redis.call('HMGET', book.queue .. ':lane_in', unpack(new))
  local listed = redis.call('HMGET', book.queue .. ':lane_listed', unpack(new))
  local held = redis.call('HMGET', book.queue .. ':lane_held', unpack(new))
  local waiting = redis.call('ZMSCORE', book.queue .. ':lane_sizes', unpack(new))
  for i = 1, #new do
    local lane = book.lanes[new[i]]
    lane.inside, lane.listed = tonumber(inside[i]) or 0, tonumber(listed[i]) or 0
    lane.waiting = tonumber(waiting[i]) or 0
    lane.held = is_held(book, new[i], held[i])
    lane.before = { inside = lane.inside, listed = lane.listed, waiting = lane.waiting }
    book.read[#book.read + 1] = lane
  end
end

local function put_all(book)
  local puts, i = book.puts, 1
  while i <= #puts do
    local level, front, ids = puts[i][1], puts[i][3], {}
    while puts[i] and puts[i][1] == level and puts[i][3] == front do
      ids[#ids + 1] = puts[i][2]
      i = i + 1
    end
    put(book.queue, level, ids, front)
  end
  book.puts = {}
end

local function write_count(book, key, field)
  local set, gone = {}, {}
  for i = 1, #book.read do
    local lane = book.read[i]
    if lane[field] ~= lane.before[field] then
      if lane[field] > 0 then
        set[#set + 1] = lane.name
        set[#set + 1] = lane[field]
      else
        gone[#gone + 1] = lane.name
      end
    end
  end
  if #set > 0 then redis.call('HSET', key, unpack(set)) end
  if #gone > 0 then redis.call('HDEL', key, unpack(gone)) end
end

local function write_sizes(book)
  local set, gone, more = {}, {}, 0
  for i = 1, #book.read do
    local lane = book.read[i]
    if lane.waiting ~= lane.before.waiting then
      more = more + lane.waiting - lane.before.waiting
      if lane.waiting > 0 then
        set[#set + 1] = lane.waiting
        set[#set + 1] = lane.name
      else
        gone[#gone + 1] = lane.name
      end
    end
  end
  local sizes = book.queue .. ':lane_sizes'
  if #set > 0 then redis.call('ZADD', sizes, unpack(set)) end
  if #gone > 0 then redis.call('ZREM', sizes, unpack(gone)) end
  if more ~= 0 and tonumber(redis.call('ZINCRBY', sizes, more, '')) <= 0 then redis.call('ZREM', sizes, '') end
end

local function close_lanes(book)
  put_all(book)
  if #book.states > 0 then redis.call('HSET', book.queue .. ':laned', unpack(book.states)) end
  write_count(book, book.queue .. ':lane_in', 'inside')
  write_count(book, book.queue .. ':lane_listed', 'listed')
  write_sizes(book)
end
