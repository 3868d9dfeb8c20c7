-- Lanes: what holds for each key apart. Of a lane's jobs those that were let in stand where turns take them, or are
-- active; the others wait in the lane's own sorted set. For a job that has a lane and has not ended `:laned` holds
-- "in level", or its member of that set, which is "place level id". `:lane_in` counts by lane who was let in,
-- `:lane_listed` who of them waits to be taken, `:lane_sizes` who waits in the lane ('' is their sum); `:lane_opens` is
-- when time lets in the next. Needs lane_book, lane_room, put and wake.

local function is_in(state) return state and string.sub(state, 1, 3) == 'in ' end

local function mark(book, id, state)
  book.states[#book.states + 1] = id
  book.states[#book.states + 1] = state
end

local function admit(book, lane, id, level)
  lane.inside, lane.listed = lane.inside + 1, lane.listed + 1
  mark(book, id, 'in ' .. level)
end

-- Let in who waits in the lane, as far as there is room, `most` at most. Where turns are fair they stand behind what
-- waits of other lanes; otherwise before it, for they came earlier, unless one of their own lane stands there.
-- Returns how many.
local function let_in(book, lane, most)
  local admitted, front = {}, not book.fair and lane.listed == 0
  while #admitted < most and lane.waiting > 0 and has_room(book, lane) do
    local level, id = string.match(redis.call('ZPOPMIN', lane.waits)[1], '^%d+ (%-?%d+) (.+)$')
    lane.waiting = lane.waiting - 1
    admit(book, lane, id, level)
    admitted[#admitted + 1] = { level, id, front }
  end
  for i = 1, #admitted do book.puts[#book.puts + 1] = admitted[front and #admitted + 1 - i or i] end
  return #admitted
end

local function enter_lane(book, lane, id, level, front)
  if lane.waiting == 0 and has_room(book, lane) then
    admit(book, lane, id, level)
    book.puts[#book.puts + 1] = { level, id, front }
    return
  end
  local number = redis.call('INCR', book.queue .. ':lane_place')
  local member = string.format('%016d %s %s', 4e15 + (front and -number or number), level, id)
  redis.call('ZADD', lane.waits, book.strict and 0 or -level, member)
  lane.waiting = lane.waiting + 1
  mark(book, id, member)
end

-- The `jobs`, each {level, id, front}, become takeable, as far as their lanes (by place, false: none) let them.
local function enter_lanes(book, jobs, names)
  local ids = {}
  for i = 1, #jobs do ids[i] = jobs[i][2] end
  local states = redis.call('HMGET', book.queue .. ':laned', unpack(ids))
  read_lanes(book, names, #jobs)
  for i = 1, #jobs do
    local lane, level, id, front = names[i] and book.lanes[names[i]], unpack(jobs[i])
    if lane and not is_in(states[i]) then
      enter_lane(book, lane, id, level, front)
    else
      if lane then lane.listed = lane.listed + 1 end
      book.puts[#book.puts + 1] = jobs[i]
    end
  end
  close_lanes(book)
end

-- The jobs `ids` become takeable, each as far as its lane lets it.
local function arrive(queue, time, level, ids, front)
  local book = redis.call('EXISTS', queue .. ':lane_of') == 1 and open_lanes_of(queue, time)
  if not book then return put(queue, level, ids, front) end
  local jobs = {}
  for i = 1, #ids do jobs[i] = { level, ids[i], front } end
  enter_lanes(book, jobs, redis.call('HMGET', queue .. ':lane_of', unpack(ids)))
end

-- The jobs `ids` have nothing to do with their lanes any more; `listed`: they wait to be taken. Returns how many
-- others were let in.
local function leave_lanes(queue, time, ids, listed)
  local states = redis.call('HMGET', queue .. ':laned', unpack(ids))
  local names = redis.call('HMGET', queue .. ':lane_of', unpack(ids))
  local book, gone, let = nil, {}, 0
  for i = 1, #ids do
    if states[i] then gone[#gone + 1] = ids[i] end
  end
  if #gone == 0 then return 0 end
  redis.call('HDEL', queue .. ':laned', unpack(gone))
  book = open_lanes_of(queue, time)
  read_lanes(book, names, #ids)
  for i = 1, #ids do
    local lane = states[i] and book.lanes[names[i]]
    if lane and is_in(states[i]) then
      lane.inside = lane.inside - 1
      if listed then lane.listed = lane.listed - 1 end
      let = let + let_in(book, lane, 10)
    elseif lane then
      redis.call('ZREM', lane.waits, states[i])
      lane.waiting = lane.waiting - 1
    end
  end
  close_lanes(book)
  return let
end
