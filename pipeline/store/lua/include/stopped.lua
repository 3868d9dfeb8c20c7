-- How a job ends its lease that a person cancelled while it ran: it is cancelled, unless it had ended by itself.
-- Returns move, outcome, key and keep as settle goes by them.
local function stopped(queue, id, move, outcome, key, keep)
  local stop = redis.call('HGET', queue .. ':stops', id)
  if stop then redis.call('HDEL', queue .. ':stops', id) end
  if not stop or move == 'completed' or move == 'dead' or move == 'cancelled' then return move, outcome, key, keep end
  return 'cancelled', unpack(cjson.decode(stop))
end
