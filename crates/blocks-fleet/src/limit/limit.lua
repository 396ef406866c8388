-- Makes the same decisions as blocks_sdk::SharedLimit in Rust. A test compares the decisions of the two
-- implementations. Times are in milliseconds.
local WINDOW, GRACE, RECHECK, LONGEST_PAUSE = 60500, 1000, 2000, 3600000
local POLL_SHARE, POLL_BURST, RECENT_POLLS = 5, 3, 128
local CALL, POLL, URGENT = 1, 2, 3
local time = redis.call('TIME')
local micros = time[1] * 1000000 + time[2]
local now = math.floor(micros / 1000)

-- A slot is one request of the limit. `used` contains the numbers of the used slots, `times` contains their times, and
-- `polls` contains whether a poll took the slot. These are three lists, because Redis packs and unpacks a list of
-- numbers much faster than a list of tables. `waiting` contains the processes that got no slot: {process, asked_at,
-- ends_at, capacity, spreads, demands}. `demands` contains {purpose, since, weight} for each demand.
local packed = redis.call('GET', KEYS[1])
local limit = packed and cmsgpack.unpack(packed) or { used = {}, times = {}, polls = {}, next_slot = 0, waiting = {} }
local used, times, polls = limit.used, limit.times, limit.polls

local function save()
  redis.call('SET', KEYS[1], cmsgpack.pack(limit), 'PX', LONGEST_PAUSE)
end

local function use_of(purpose)
  if purpose <= 1 then return CALL end
  if purpose == 2 then return POLL end
  return URGENT
end

-- Removes expired slots and an expired pause. Corrects times that are in the future because the clock was set back.
-- Another program may have changed the data, so a pause ends within an hour, whatever its stored end is.
local function correct()
  local kept = 0
  for place = 1, #used do
    local at = math.min(times[place], now)
    if at + WINDOW > now then
      kept = kept + 1
      used[kept], times[kept], polls[kept] = used[place], at, polls[place]
    end
  end
  for place = #used, kept + 1, -1 do
    used[place], times[place], polls[place] = nil, nil, nil
  end
  local pause = limit.pause
  if pause and pause.from > now then
    limit.pause = { from = now, ['until'] = now + math.max(pause['until'] - pause.from, 0) }
  end
  if limit.pause then limit.pause['until'] = math.min(limit.pause['until'], now + LONGEST_PAUSE) end
  if limit.pause and limit.pause['until'] <= now then limit.pause = nil end
end

local function pause(duration)
  correct()
  local till = now + math.min(duration, LONGEST_PAUSE)
  if not limit.pause or limit.pause['until'] < till then
    limit.pause = { from = now, ['until'] = till }
  end
end

local function give_back(number)
  for place, slot in ipairs(used) do
    if slot == number then
      for _, list in ipairs({ used, times, polls }) do table.remove(list, place) end
      return
    end
  end
end

-- Returns the time at which the slot with the index `place`, counted from 0, leaves the window. If there is no such
-- slot, returns the time at which the last slot leaves the window.
local function leaves(place)
  local at = times[place + 1] or times[#times]
  return at and at + WINDOW
end

local function spacing(slots, ahead)
  return WINDOW * (1 + ahead) / math.max(slots, 1)
end

local function next_poll(capacity, used_by_polls, left, ahead)
  local share = math.floor(capacity / POLL_SHARE)
  local spare = share > 0 and 1 or 0
  if used_by_polls >= share and #used + spare >= capacity then return times[1] + WINDOW end
  local slots = math.max(left - spare, share)
  local late, recent = POLL_BURST - 1, 0
  local again, call
  for place = #used, 1, -1 do
    if not polls[place] then
      call = times[place]
    elseif recent < RECENT_POLLS then
      if recent + ahead >= late then again = math.max(again or 0, times[place] + spacing(slots, recent + ahead - late)) end
      recent = recent + 1
    end
  end
  if ahead > late then again = math.max(again or 0, now + spacing(slots, ahead - POLL_BURST)) end
  return again and call and math.min(again, call + WINDOW) or again
end

-- Returns the time at which to request a slot for this use again, if `ahead` other processes get a slot first. Returns
-- nil if a slot is free now.
local function check(use, capacity, spreads, polls_wait, ahead)
  if limit.pause then return limit.pause['until'] end
  local before = use == CALL and ahead or 0
  local count = #used + before
  if count >= capacity then return leaves(count - capacity) end
  local used_by_polls = 0
  for _, is_poll in ipairs(polls) do
    if is_poll then used_by_polls = used_by_polls + 1 end
  end
  local calls = count - used_by_polls
  local share = math.floor(capacity / POLL_SHARE)
  local again
  if use == CALL and (polls_wait or used_by_polls > 0) and calls + math.max(used_by_polls, share) >= capacity then
    again = leaves(before)
  elseif use == CALL and spreads then
    local last = times[#times]
    again = last and last + spacing(capacity, before)
  elseif use == POLL then
    again = next_poll(capacity, used_by_polls, capacity - calls, ahead)
  end
  if again and again > now then return again end
end

local function gain(demand)
  return math.max(now - demand[2], 0) * demand[3]
end

-- Returns how many other processes have a demand of the same use that has precedence over this demand.
local function ahead_of(demand)
  local ahead = 0
  for _, other in ipairs(limit.waiting) do
    for _, theirs in ipairs(other[6]) do
      if use_of(theirs[1]) == use_of(demand[1])
        and (theirs[1] < demand[1] or theirs[1] == demand[1] and gain(theirs) > gain(demand)) then
        ahead = ahead + 1
        break
      end
    end
  end
  return ahead
end

local function take()
  local process, capacity, spreads = ARGV[2], tonumber(ARGV[3]), ARGV[4] == '1'
  local demands, polls_wait = {}, false
  for n = 5, #ARGV, 3 do
    local waited = math.min(tonumber(ARGV[n + 1]), now)
    demands[#demands + 1] = { tonumber(ARGV[n]), now - waited, tonumber(ARGV[n + 2]) }
  end
  local own, own_spreads = capacity, spreads
  local waiting = {}
  for _, other in ipairs(limit.waiting) do
    -- A process waits at most until the end of the longest pause. An entry with a later end was not written by this
    -- script, or the clock was set back since.
    local longest = LONGEST_PAUSE + GRACE
    if other[1] ~= process and other[2] <= now and other[2] >= now - longest
      and other[3] >= now and other[3] <= now + longest then
      waiting[#waiting + 1] = other
      capacity = math.min(capacity, other[4])
      spreads = spreads or other[5]
      for _, demand in ipairs(other[6]) do polls_wait = polls_wait or demand[1] >= 2 end
    end
  end
  for _, demand in ipairs(demands) do polls_wait = polls_wait or demand[1] >= 2 end
  limit.waiting = waiting
  capacity = math.max(capacity, 1)
  correct()
  local again
  for number, demand in ipairs(demands) do
    local use, ahead = use_of(demand[1]), ahead_of(demand)
    local at = check(use, capacity, spreads, polls_wait, ahead)
    if not at then
      local slot = math.max(limit.next_slot, micros)
      limit.next_slot = slot + 1
      local place = #used + 1
      used[place], times[place], polls[place] = slot, now, use ~= CALL
      return { 1, number - 1, slot }
    end
    at = math.ceil(at)
    if ahead > 0 then
      local first = math.ceil(check(use, capacity, spreads, polls_wait, 0) or now)
      at = math.min(at, math.max(first, now + RECHECK))
    end
    again = math.min(again or at, at)
  end
  again = again or now
  limit.waiting[#limit.waiting + 1] = { process, now, again + GRACE, own, own_spreads, demands }
  return { 0, again - now, limit.pause and 1 or 0 }
end

local result = 0
if ARGV[1] == 'take' then
  result = take()
elseif ARGV[1] == 'pause' then
  pause(tonumber(ARGV[2]))
else
  give_back(tonumber(ARGV[2]))
end
save()
return result
