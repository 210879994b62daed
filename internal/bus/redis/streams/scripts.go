package streams

import "github.com/redis/go-redis/v9"

// shared are functions that more than one script needs.
const shared = `
local function map(flat)
  local m = {}
  for i = 1, #flat, 2 do m[flat[i]] = flat[i + 1] end
  return m
end

local function clock()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

local function parts(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(seq)
end

local function before(a, b)
  local am, as = parts(a)
  local bm, bs = parts(b)
  return am < bm or (am == bm and as < bs)
end

-- slowest returns the oldest entry that some group has not dealt with, and that
-- group; nil if there is no group.
local function slowest(stream)
  local oldest, name
  for _, flat in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local g = map(flat)
    local id
    if g.pending > 0 then
      id = redis.call('XPENDING', stream, g.name)[2]
    else
      local ms, seq = string.match(g['last-delivered-id'], '^(%d+)-(%d+)$')
      id = ms .. '-' .. string.format('%.0f', seq + 1)
    end
    if not oldest or before(id, oldest) then oldest, name = id, g.name end
  end
  return oldest, name
end

-- trim removes what every group has dealt with.
local function trim(stream)
  local id, name = slowest(stream)
  if id then redis.call('XTRIM', stream, 'MINID', '=', id) end
  return name
end

-- bound trims what every group has dealt with, and what is then still beyond
-- the bound: that is lost to the slowest group, and counted.
local function bound(stream, max, lost)
  local name = trim(stream) or ''
  local n = redis.call('XTRIM', stream, 'MAXLEN', '=', max)
  if n > 0 then redis.call('HINCRBY', lost, name, n) end
  return n, name
end
`

// publish: KEYS table, lost, streams…; ARGV version, number of channels,
// channels…, a bound for each stream, fields….
// Returns how many streams and subscribers it reached, how many entries fell
// out of a bound, and whose they were; or -1 if the table is of another version.
var publishScript = redis.NewScript(shared + `
if redis.call('HGET', KEYS[1], 'version') ~= ARGV[1] then return {-1, 0, ''} end
local channels, streams = tonumber(ARGV[2]), #KEYS - 2
local first = 3 + channels + streams
local dropped, whose = 0, ''
for i = 1, streams do
  local stream, max = KEYS[2 + i], tonumber(ARGV[2 + channels + i])
  redis.call('XADD', stream, '*', unpack(ARGV, first))
  if redis.call('XLEN', stream) > max + math.floor(max / 100) then
    local n, name = bound(stream, max, KEYS[2])
    if n > 0 then dropped, whose = dropped + n, name end
  end
end
local reached, packed = streams, nil
for i = 1, channels do
  if not packed then
    packed = {}
    for j = first, #ARGV do packed[#packed + 1] = struct.pack('>I4', #ARGV[j]) .. ARGV[j] end
    packed = table.concat(packed)
  end
  reached = reached + redis.call('PUBLISH', ARGV[2 + i], packed)
end
return {reached, dropped, whose}
`)

// declare: KEYS table; ARGV number of pairs, (name, value)…, (stream, group)….
// Adds what is not there, makes the groups, and returns the table. A name that
// is there with another value is left as it is: the caller compares.
var declareScript = redis.NewScript(shared + `
local pairs_ = tonumber(ARGV[1])
local added = false
for i = 0, pairs_ - 1 do
  if redis.call('HSETNX', KEYS[1], ARGV[2 + 2 * i], ARGV[3 + 2 * i]) == 1 then added = true end
end
for i = 2 + 2 * pairs_, #ARGV, 2 do
  local r = redis.pcall('XGROUP', 'CREATE', ARGV[i], ARGV[i + 1], '$', 'MKSTREAM')
  if type(r) == 'table' and r.err and not string.find(r.err, 'BUSYGROUP', 1, true) then return r end
end
if added or redis.call('HEXISTS', KEYS[1], 'version') == 0 then
  local t = redis.call('TIME')
  redis.call('HSET', KEYS[1], 'version', t[1] .. '.' .. t[2])
end
return redis.call('HGETALL', KEYS[1])
`)

// lease: KEYS consumers, exclusive; ARGV consumer, milliseconds, 1 if exclusive.
// Takes or renews a lease. Returns the server's time, or -1 if somebody else's
// lease forbids it.
var leaseScript = redis.NewScript(shared + `
local now, me = clock(), ARGV[1]
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local only = redis.call('GET', KEYS[2])
if only and only ~= me and redis.call('ZSCORE', KEYS[1], only) then return -1 end
local others = redis.call('ZCARD', KEYS[1])
if redis.call('ZSCORE', KEYS[1], me) then others = others - 1 end
if ARGV[3] == '1' then
  if others > 0 then return -1 end
  redis.call('SET', KEYS[2], me)
end
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), me)
return now
`)

// claim: KEYS consumers, stream; ARGV group, consumer, count.
// Takes over what consumers without a lease have not acknowledged.
var claimScript = redis.NewScript(shared + `
for _, flat in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[2], ARGV[1])) do
  local c = map(flat)
  if c.name ~= ARGV[2] and not redis.call('ZSCORE', KEYS[1], c.name) then
    local ids = {}
    for _, p in ipairs(redis.call('XPENDING', KEYS[2], ARGV[1], '-', '+', ARGV[3], c.name)) do ids[#ids + 1] = p[1] end
    if #ids == 0 then
      redis.call('XGROUP', 'DELCONSUMER', KEYS[2], ARGV[1], c.name)
    else
      local got = redis.call('XCLAIM', KEYS[2], ARGV[1], ARGV[2], 0, unpack(ids))
      if #got > 0 then return got end
    end
  end
end
return {}
`)

// bury: KEYS stream, lost, (dead-letter streams)…; ARGV group, id, a bound for each, fields to add….
// Copies an entry to where it is kept for people to look at, then acknowledges it.
var buryScript = redis.NewScript(shared + `
local found = redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2])[1]
local graves = #KEYS - 2
if found then
  local fields = found[2]
  for i = 3 + graves, #ARGV do fields[#fields + 1] = ARGV[i] end
  for i = 1, graves do
    local max = tonumber(ARGV[2 + i])
    redis.call('XADD', KEYS[2 + i], '*', unpack(fields))
    if redis.call('XLEN', KEYS[2 + i]) > max + math.floor(max / 100) then bound(KEYS[2 + i], max, KEYS[2]) end
  end
end
return redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
`)

// trim: KEYS stream, lost; ARGV group. Returns its length and what the group lost so far.
var trimScript = redis.NewScript(shared + `
trim(KEYS[1])
return {redis.call('XLEN', KEYS[1]), tonumber(redis.call('HGET', KEYS[2], ARGV[1]) or 0)}
`)
