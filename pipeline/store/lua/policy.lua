-- What a producer must know: {time, generation, policy}; the latter two are nil before a supervisor ran.
-- include now
local queue = unpack(KEYS)

local meta = redis.call('HMGET', queue .. ':meta', 'generation', 'policy')
return { now(), meta[1], meta[2] }
