-- The state of job `id`, and the worker that holds it when it is active; nil when it is not kept.
local function where(queue, id)
  if redis.call('HEXISTS', queue .. ':jobs', id) == 0 then return nil end
  for _, state in ipairs({ 'delayed', 'dead', 'cancelled' }) do
    if redis.call('ZSCORE', queue .. ':' .. state, id) then return state end
  end
  if redis.call('HEXISTS', queue .. ':outcomes', id) == 1 then return 'completed' end
  local workers = redis.call('ZRANGE', queue .. ':workers', 0, -1)
  for i = 1, #workers do
    if redis.call('HEXISTS', queue .. ':active:' .. workers[i], id) == 1 then
      return 'active', workers[i]
    end
  end
  return 'waiting'
end
