-- Write to the queue's stream what happened to the jobs `ids`, if anybody watches it: `watched`, a field of `:meta`, says
-- until when (ms since 1970). A watcher renews it, one that is gone leaves it behind; times too far ahead are those of a
-- clock that went back. At most 100 ids an entry, about 1,000 entries, for a minute.
local function tell(queue, watched, event, ids)
  if not watched or #ids == 0 then return end
  local left = watched - now()
  if left <= 0 or left > 60000 then return redis.call('HDEL', queue .. ':meta', 'watched') end
  for first = 1, #ids, 100 do
    local some = table.concat(ids, ' ', first, math.min(first + 99, #ids))
    redis.call('XADD', queue .. ':events', 'MAXLEN', '~', 1000, '*', event, some)
  end
  redis.call('PEXPIRE', queue .. ':events', 60000)
end
