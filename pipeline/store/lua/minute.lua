#!lua flags=allow-oom
-- Keep what the queue has counted, at the first look in each minute, as "minute enqueued completed failed dead cancelled
-- waited run wait": the totals as they are, and of the time since the line before it the longest wait that was seen (ms)
-- and the histograms ("bucket:count,..." or "-"). `oldest` is how long a job waits now. Lines of all minutes stay for a
-- day, those of ten minutes for two, of hours for ten, of quarters of a day for 93. Where nothing happened nothing is
-- kept. Returns how many lines were.
-- include now
local queue = unpack(KEYS)
local oldest = unpack(ARGV)
local rings = {
  { queue .. ':minutes', 1, 1440 },
  { queue .. ':tens', 10, 288 },
  { queue .. ':hours', 60, 240 },
  { queue .. ':quarters', 360, 372 },
}

local minute = math.floor(now() / 60000)
local function newest(ring)
  local at, totals = string.match(redis.call('LINDEX', ring, -1) or '', '^(%d+) (%d+ %d+ %d+ %d+ %d+)')
  return tonumber(at), totals
end
local last = newest(rings[1][1])
if last and last >= minute then return 0 end

local function pairs_of(key)
  local reply, found = redis.call('HGETALL', key), {}
  for i = 1, #reply, 2 do found[reply[i]] = reply[i + 1] end
  return found
end

-- What came to the histograms since the last line; at the very first look that is not known.
local stats, before = pairs_of(queue .. ':stats'), pairs_of(queue .. ':charted')
local first, histograms, seen = not next(before), { run = {}, wait = {} }, { 'from', minute }
for name, value in pairs(stats) do
  local kind, bucket = string.match(name, '^(%a+):(%d+)$')
  if histograms[kind] then
    seen[#seen + 1], seen[#seen + 2] = name, value
    local more = value - (before[name] or 0)
    if more > 0 and not first then histograms[kind][bucket] = more end
  end
end

local function text(histogram)
  local parts = {}
  for bucket, count in pairs(histogram) do parts[#parts + 1] = bucket .. ':' .. count end
  return #parts > 0 and table.concat(parts, ',') or '-'
end

local function merge(histogram, parts)
  for bucket, count in string.gmatch(parts, '(%d+):(%d+)') do
    histogram[bucket] = (histogram[bucket] or 0) + count
  end
end

local enqueued = (redis.call('GET', queue .. ':last_id') or 0) - (stats.gaps or 0) + (stats.own or 0)
local totals = string.format('%d %d %d %d %d', enqueued, stats.completed or 0, stats.failed or 0, stats.dead or 0,
  stats.cancelled or 0)
local kept = 0
for _, ring in ipairs(rings) do
  local key, wide, size = unpack(ring)
  local at, known = newest(key)
  if not at or math.floor(at / wide) < math.floor(minute / wide) then
    local waited, run, wait = tonumber(oldest), histograms.run, histograms.wait
    if wide > 1 then
      run, wait = {}, {}
      for _, line in ipairs(at and redis.call('LRANGE', queue .. ':minutes', -wide, -1) or {}) do
        local moment, longest, runs, waits = string.match(line, '^(%d+) %d+ %d+ %d+ %d+ %d+ (%d+) (%S+) (%S+)$')
        if moment and tonumber(moment) > at then
          waited = math.max(waited, tonumber(longest))
          merge(run, runs)
          merge(wait, waits)
        end
      end
    end
    if totals ~= known or waited > 0 or next(run) or next(wait) then
      local line = string.format('%d %s %d %s %s', minute, totals, waited, text(run), text(wait))
      redis.call('RPUSH', key, line)
      redis.call('LTRIM', key, -size, -1)
      redis.call('EXPIRE', key, wide * size * 60)
      if wide == 1 then
        redis.call('DEL', queue .. ':charted')
        redis.call('HSET', queue .. ':charted', unpack(seen))
        redis.call('EXPIRE', queue .. ':charted', 86400)
      end
      kept = kept + 1
    end
  end
end
return kept
