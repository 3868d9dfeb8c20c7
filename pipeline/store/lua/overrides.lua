#!lua flags=allow-oom
-- What people changed by hand: {time, paused, scale}, JSON or nil. What is past its `until` ends first; a pause
-- that ends leaves the queue as the policy says.
-- include now
-- include wake
local queue = unpack(KEYS)

local time, meta = now(), queue .. ':meta'
local function parsed(text)
  local read, value = pcall(cjson.decode, text or '')
  return read and type(value) == 'table' and value or {}
end

local held = redis.call('HMGET', meta, 'paused', 'scale')
for place, field in ipairs({ 'paused', 'scale' }) do
  local ends = tonumber(parsed(held[place])['until'])
  if ends and ends <= time then
    redis.call('HDEL', meta, field)
    held[place] = false
    if field == 'paused' then
      if parsed(redis.call('HGET', meta, 'policy')).paused == true then
        held[place] = cjson.encode({ by = 'file', at = time })
        redis.call('HSET', meta, field, held[place])
      end
      wake(queue, 1000)
    end
  end
end
return { time, held[1], held[2] }
