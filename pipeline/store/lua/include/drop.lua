-- Forget the jobs `ids`: record, outcome (unless they have none), lane, earlier runs, progress, logs, and a changed level.
local function drop(queue, ids, without_outcome)
  redis.call('HDEL', queue .. ':jobs', unpack(ids))
  if not without_outcome then redis.call('HDEL', queue .. ':outcomes', unpack(ids)) end
  local more = redis.call('EXISTS', queue .. ':runs', queue .. ':notes', queue .. ':lane_of', queue .. ':moved')
  if more == 0 then return end
  redis.call('HDEL', queue .. ':runs', unpack(ids))
  redis.call('HDEL', queue .. ':lane_of', unpack(ids))
  redis.call('HDEL', queue .. ':moved', unpack(ids))
  local noted = redis.call('HMGET', queue .. ':notes', unpack(ids))
  for i = 1, #ids do
    if noted[i] then redis.call('DEL', queue .. ':logs:' .. ids[i]) end
  end
  redis.call('HDEL', queue .. ':notes', unpack(ids))
end
