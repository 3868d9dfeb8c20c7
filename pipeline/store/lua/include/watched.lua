-- Whether anybody watches the queue: `ends`, the field `watched` of `:meta`, says until when (ms since 1970). A watcher
-- renews it; one that is gone leaves it behind. Times too far ahead are those of a clock that went back.
local function watched(queue, ends)
  if not ends then return false end
  local left = ends - now()
  if left > 0 and left <= 60000 then return true end
  redis.call('HDEL', queue .. ':meta', 'watched')
  return false
end
