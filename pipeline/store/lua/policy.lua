-- What a producer must know: {time, generation, policy, nil, nil, confirm, layout}; all but the time are nil before a
-- supervisor ran. confirm: see confirm.py. layout: see layout.py; nil is the first.
-- Of a queue that was removed from the file: {time, generation, nil, the generation that removed it, waiting}.
-- include now
-- include waiting
local queue = unpack(KEYS)

local meta = redis.call('HMGET', queue .. ':meta', 'generation', 'policy', 'removed', 'confirm', 'layout')
if meta[3] then return { now(), meta[1], false, meta[3], waiting(queue) } end
return { now(), meta[1], meta[2], false, false, meta[4], meta[5] }
