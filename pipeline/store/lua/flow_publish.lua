#!lua flags=allow-oom
-- Make a definition the one that counts, with its generation; '' closes the flow: no new one begins. An older
-- generation than the one that runs changes nothing. Returns the generation that runs.
local flow = unpack(KEYS)
local generation, definition = unpack(ARGV)

local meta = flow .. ':meta'
local runs = tonumber(redis.call('HGET', meta, 'generation') or 0)
if tonumber(generation) < runs then return runs end
redis.call('HSET', meta, 'generation', generation)
if definition == '' then
  redis.call('HDEL', meta, 'definition')
else
  redis.call('HSET', meta, 'definition', definition)
end
return tonumber(generation)
