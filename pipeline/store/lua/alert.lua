#!lua flags=allow-oom
-- Whether an alert about `what` is due: `value` rose above what was told. Whoever asks first is to send it, and the others
-- wait `hold` ms, in case that does not come off; after it was sent nothing is due for `throttle` ms. When nothing was
-- ever told, that is `first`; a value that fell is told already.
-- Returns what was told before; -1 when it is not due yet, nil when there is nothing to tell.
-- include now
local queue = unpack(KEYS)
local what, value, first, throttle, hold = unpack(ARGV)

local function keep(told, at, held)
  redis.call('HSET', queue .. ':alerts', what, string.format('%d %d %d', told, at, held))
end

local time, known = now(), redis.call('HGET', queue .. ':alerts', what)
local told, at, held = string.match(known or first .. ' 0 0', '^(%d+) (%d+) (%d+)$')
value, told, at, held = tonumber(value), tonumber(told), tonumber(at), tonumber(held)
if value <= told then
  if value < told or not known then keep(value, at, 0) end
  return false
end
-- Times of the future are those of a clock that went back.
if at <= time and time < at + throttle then return -1 end
if time < held and held <= time + hold then return -1 end
keep(told, at, time + hold)
return told
