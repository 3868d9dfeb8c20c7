-- Store jobs whose ids nobody vouches for: each may have a mark of its content, which for `keep` ms stands for the id that
-- came with it first. A second job with a mark is a duplicate of that one, whatever id it brings. Returns what accept does.
-- Refuses when `generation` is not the one that runs.
-- include now
-- include tell
-- include put
-- include wake
-- include lane_book
-- include lane_room
-- include lanes
-- include where
-- include next_lease
-- include hand_over
-- include holder
-- include shift
-- include accept
local queue = unpack(KEYS)
local generation, count = unpack(ARGV)
-- rest: mark ('': none), keep for each job; then the jobs, as enqueue_each takes them

local meta = redis.call('HMGET', queue .. ':meta', 'generation', 'paused', 'limited', 'rate', 'held', 'watched')
if (meta[1] or '') ~= generation then return redis.error_reply('POLICY ' .. (meta[1] or '')) end

local fixed, seen = 2, {}
local at = fixed + 2 * count
for i = 1, count do
  local mark, id = ARGV[fixed + 2 * i - 1], at + 8 * (i - 1) + 1
  if mark ~= '' then
    local first = seen[mark] or redis.call('GET', queue .. ':seen:' .. mark)
    if first then
      ARGV[id] = first
    else
      seen[mark] = ARGV[id]
    end
  end
end

local direct = #ARGV == at + 8 and not (meta[2] or meta[3] or meta[4] or meta[5])
local answers = accept(queue, now(), direct, at, meta[6])
for i = 1, count do
  local mark, keep = ARGV[fixed + 2 * i - 1], ARGV[fixed + 2 * i]
  if seen[mark] then redis.call('SET', queue .. ':seen:' .. mark, answers[2 * i - 1], 'PX', keep) end
end
return answers
