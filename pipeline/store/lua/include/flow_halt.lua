-- Nothing new begins: what is blocked is skipped. With `how` 'failing' the steps for the failure come later.
local function flow_halt(state, how)
  redis.call('HSET', state, 'state', how)
  for step in string.gmatch(redis.call('HGET', state, 'steps'), '%S+') do
    local is, kind = unpack(redis.call('HMGET', state, step .. '.state', step .. '.kind'))
    if is == 'blocked' and (kind ~= 'on_failure' or how == 'cancelling') then
      redis.call('HSET', state, step .. '.state', 'skipped')
    end
  end
end
