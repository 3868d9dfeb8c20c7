-- The level of job `id`: what it was changed to counts before `level`, which its record said when somebody read it.
local function level_of(queue, id, level)
  return redis.call('HGET', queue .. ':moved', id) or level
end
