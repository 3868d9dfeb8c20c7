-- As unlock, for the `count` completed jobs that stand behind `ARGV[at]` as (id, key, keep), but those that are `lost`.
local function unlock_all(queue, time, at, count, lost)
  local keys, ids, forget = {}, {}, {}
  for i = at + 1, at + 3 * count, 3 do
    local id, key, keep = unpack(ARGV, i, i + 2)
    if not lost[id] then
      if key ~= '' then
        keys[#keys + 1] = queue .. ':dedup:' .. key
        ids[#ids + 1] = id
      end
      if keep ~= '' then
        forget[#forget + 1] = time + keep
        forget[#forget + 1] = id
      end
    end
  end
  if #forget > 0 then redis.call('ZADD', queue .. ':ids', unpack(forget)) end
  if #keys == 0 then return end
  local held, own = redis.call('MGET', unpack(keys)), {}
  for i = 1, #keys do
    if held[i] == ids[i] then own[#own + 1] = keys[i] end
  end
  if #own > 0 then redis.call('DEL', unpack(own)) end
end
