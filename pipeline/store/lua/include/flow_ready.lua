-- All that a step needs has ended: its jobs are to be made.
local function flow_ready(state, step)
  redis.call('HSET', state, step .. '.state', 'ready')
  redis.call('HINCRBY', state, 'going', 1)
  redis.call('HINCRBY', state, 'ready', 1)
end
