import { createHash } from 'node:crypto';

/** A script that Redis runs as one step; it gets one key. */
export interface RedisScript {
  readonly text: string;
  readonly sha: string;
}

function script(text: string): RedisScript {
  return { text, sha: createHash('sha1').update(text).digest('hex') };
}

const TIME = "local t = redis.call('TIME') local us = t[1] * 1000000 + t[2]";

/**
 * An entry is a hash: `server`, `version`, and what is counted. A version is the time of a change in microseconds, by Redis' own
 * clock: news of changes may overtake answers, which come over another connection. Each is later than the one before, though
 * that clock may be set back.
 */
const VERSION = `${TIME} local before = redis.pcall('HGET', KEYS[1], 'version')
local version = string.format('%.0f', math.max(us, (type(before) == 'string' and tonumber(before) or 0) + 1))`;

const EXPIRE = "if tonumber(ARGV[1]) > 0 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end";

/** The server of an entry, which counts as used. ARGV: ms to live (0: for ever). */
export const LOOK_UP: RedisScript = script(`
local found = redis.call('HMGET', KEYS[1], 'server', 'version')
if found[1] then ${EXPIRE} end
return found`);

/**
 * Makes a key stick to a server, unless it sticks to another one than whoever asks knows of.
 * ARGV: ms to live, the server, the one known ('': none), the channel for news, what to tell there, 'any': in place of any.
 */
export const STORE: RedisScript = script(`
local found = redis.call('HMGET', KEYS[1], 'server', 'version')
local server, latest = found[1], found[2]
if not server or server == '' or server == ARGV[3] or ARGV[6] == 'any' then
  if server ~= ARGV[2] then
    ${VERSION}
    server, latest = ARGV[2], version
    redis.call('HSET', KEYS[1], 'server', server, 'version', version)
    redis.call('PUBLISH', ARGV[4], ARGV[5] .. ' ' .. version .. ' ' .. server)
  end
end
${EXPIRE}
return { server, latest }`);

/** Puts off when an entry expires; 0: there is none. ARGV: ms to live. */
export const TOUCH: RedisScript = script("return redis.call('PEXPIRE', KEYS[1], ARGV[1])");

/**
 * Counts, and gives what was counted by all. ARGV: ms to live; then for each number its name, how many to add, and for a rate
 * its period in ms, else 0. A rate is kept as HAProxy keeps one (freq_ctr): the count of the present period, of the one before,
 * and when the present one began; that is now where the clock was set back since. What is given of it is both counts, and how old
 * the present period is.
 */
export const COUNT: RedisScript = script(`
${TIME}
local now = math.floor(us / 1000)
local values = {}
local written = false
for i = 2, #ARGV, 3 do
  local name, by, period = ARGV[i], tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
  if period == 0 then
    local value
    if by == 0 then value = tonumber(redis.call('HGET', KEYS[1], name) or 0)
    else value = redis.call('HINCRBY', KEYS[1], name, by) written = true end
    if value < 0 then
      redis.call('HSET', KEYS[1], name, 0)
      value = 0
    end
    values[#values + 1] = value
  else
    local cell = redis.call('HMGET', KEYS[1], name, name .. ':past', name .. ':from')
    local count, past, from = tonumber(cell[1] or 0), tonumber(cell[2] or 0), tonumber(cell[3] or 0)
    local age = now - from
    if age >= 2 * period then count, past, from = 0, 0, now
    elseif age >= period then count, past, from = 0, count, from + period
    elseif age < 0 then from = now end
    if by > 0 then
      count = count + by
      redis.call('HSET', KEYS[1], name, count, name .. ':past', past, name .. ':from', from)
      written = true
    end
    values[#values + 1] = { count, past, now - from }
  end
end
if written then ${EXPIRE} end
return values`);

/** Writes into an entry. ARGV: ms to live, the channel, what to tell there; then names and values: `server`, and what is counted. */
export const WRITE: RedisScript = script(`
${VERSION}
local now = math.floor(us / 1000)
redis.call('HSETNX', KEYS[1], 'server', '')
for i = 4, #ARGV, 3 do
  local name, value, period = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2])
  redis.call('HSET', KEYS[1], name, value)
  if period > 0 then redis.call('HSET', KEYS[1], name .. ':past', 0, name .. ':from', now) end
  if name == 'server' then
    redis.call('HSET', KEYS[1], 'version', version)
    redis.call('PUBLISH', ARGV[2], ARGV[3] .. ' ' .. version .. ' ' .. value)
  end
end
${EXPIRE}
return 1`);

/** Removes an entry. ARGV: the channel, what to tell there. */
export const REMOVE: RedisScript = script(`
${VERSION}
local removed = redis.call('DEL', KEYS[1])
if removed > 0 then redis.call('PUBLISH', ARGV[1], ARGV[2] .. ' ' .. version .. ' ') end
return removed`);
