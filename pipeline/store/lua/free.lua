#!lua flags=allow-oom
-- Free the deduplication keys of jobs that were purged. Returns nothing.
local queue = unpack(KEYS)
-- rest: id, key pairs

for i = 1, #ARGV, 2 do
  local key = queue .. ':dedup:' .. ARGV[i + 1]
  if redis.call('GET', key) == ARGV[i] then redis.call('DEL', key) end
end
