#!lua flags=allow-oom
-- What the lanes of a queue may hold has changed: let in who may come now, of the lanes of one page (see ZSCAN).
-- Returns the cursor of the next page, "0" after the last, and how many were let in, 1,000 at most.
-- include now
-- include put
-- include wake
-- include lane_book
-- include lane_room
-- include lanes
local queue = unpack(KEYS)
local cursor = unpack(ARGV)

local book, let, names = open_lanes_of(queue, now()), 0, {}
if not book then return { '0', 0 } end
local next, page = unpack(redis.call('ZSCAN', queue .. ':lane_sizes', cursor, 'COUNT', 100))
for i = 1, #page, 2 do
  if page[i] ~= '' then names[#names + 1] = page[i] end
end
read_lanes(book, names, #names)
for i = 1, #names do let = let + let_in(book, book.lanes[names[i]], 1000 - let) end
close_lanes(book)
if let > 0 then wake(queue, let) end
return { next, let }
