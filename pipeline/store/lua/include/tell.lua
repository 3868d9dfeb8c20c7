-- Write to the queue's stream what happened to the jobs `ids`, for those who watch it: at most 100 ids an entry, about
-- 1,000 entries, for a minute.
local function tell(queue, event, ids)
  if #ids == 0 then return end
  for first = 1, #ids, 100 do
    local some = table.concat(ids, ' ', first, math.min(first + 99, #ids))
    redis.call('XADD', queue .. ':events', 'MAXLEN', '~', 1000, '*', event, some)
  end
  redis.call('PEXPIRE', queue .. ':events', 60000)
end

-- The ids that are not among `others`.
local function without(ids, others)
  if #others == 0 then return ids end
  local odd, left = {}, {}
  for i = 1, #others do odd[others[i]] = true end
  for i = 1, #ids do
    if not odd[ids[i]] then left[#left + 1] = ids[i] end
  end
  return left
end
