#!lua flags=allow-oom
-- Say that the jobs of a project lie in a layout from now on, unless a later one was said. Returns the one that stands.
local layout = unpack(KEYS)
local number, version = unpack(ARGV)

local stands = tonumber((redis.call('GET', layout) or '0'):match('^%d+'))
if stands >= tonumber(number) then return stands end
redis.call('SET', layout, number .. ' ' .. version)
return tonumber(number)
