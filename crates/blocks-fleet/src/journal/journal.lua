-- A journal is one Redis hash with an entry for each prompt. An entry contains state, worker, ends_at (the end of the
-- claim), request and data. While a create is being sent, the entry also contains `before`, the packed entry before the
-- claim, if there was one.
local KEPT = 30 * 24 * 3600 * 1000
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local operation, worker, lease = ARGV[1], ARGV[2], tonumber(ARGV[3])
local id = ARGV[4]

local function load(id)
  local packed = redis.call('HGET', KEYS[1], id)
  return packed and cmsgpack.unpack(packed)
end

local function save(id, entry)
  redis.call('HSET', KEYS[1], id, cmsgpack.pack(entry))
  redis.call('PEXPIRE', KEYS[1], KEPT)
end

-- If a claim ends more than one lease from now, the server's clock was set back after the claim was made, or the other
-- worker uses a longer lease. Such a claim counts as ended, because otherwise the claim could last much longer than a
-- lease.
local function is_claimed(entry)
  return entry.ends_at > now and entry.ends_at <= now + lease
end

local function claim_until(entry)
  entry.worker, entry.ends_at = worker, now + lease
end

if operation == 'read' then
  local rows = {}
  for n = 4, #ARGV do
    local entry = load(ARGV[n])
    if not entry then
      rows[#rows + 1] = false
    else
      local claimed = 0
      if is_claimed(entry) and entry.worker ~= worker then
        claimed = 1
      elseif is_claimed(entry) and entry.state == 'starting' then
        claimed = 2
      end
      rows[#rows + 1] = { entry.state, claimed, entry.request, entry.data }
    end
  end
  return rows
end

if operation == 'renew' then
  for n = 4, #ARGV do
    local entry = load(ARGV[n])
    if entry and entry.worker == worker and entry.state ~= 'ended' then
      claim_until(entry)
      save(ARGV[n], entry)
    end
  end
  return 1
end

local entry = load(id)
if operation == 'claim' then
  -- The response to this worker's earlier claim was lost, so no create was sent.
  local is_own = entry and entry.state == 'starting' and entry.worker == worker and ARGV[8] == '1'
  local is_unknown = entry and (entry.state == 'unknown' or entry.state == 'starting' and not is_claimed(entry))
  -- The data of a created or ended entry may be replaced if they are the result that is retried, or cannot be read.
  local has_data = entry and (entry.state == 'created' or entry.state == 'ended')
  local is_retried = has_data and ARGV[7] ~= '' and entry.data == ARGV[7]
  if entry and not is_own and not is_retried and not (is_unknown and ARGV[6] == '1') then return 0 end
  local before = entry and cmsgpack.pack(entry)
  if is_own then before = entry.before end
  local claimed = { state = 'starting', request = ARGV[5], data = '', before = before }
  claim_until(claimed)
  save(id, claimed)
  return 1
end

if operation == 'take_over' then
  if not entry or entry.state ~= 'created' then return 0 end
  if is_claimed(entry) and entry.worker ~= worker then return 0 end
  claim_until(entry)
  save(id, entry)
  return 1
end

-- The remaining operation is `record`.
local state = ARGV[5]
if entry and entry.state == 'ended' then return 0 end
if state == 'not_started' then
  -- The create had no effect, so the entry before the claim is valid again.
  if entry and entry.state == 'starting' and entry.worker == worker then
    if entry.before then
      redis.call('HSET', KEYS[1], id, entry.before)
    else
      redis.call('HDEL', KEYS[1], id)
    end
  end
elseif not (state == 'unknown' and entry and entry.state == 'created') then
  entry = entry or { request = '' }
  entry.state, entry.data, entry.before = state, ARGV[6], nil
  claim_until(entry)
  save(id, entry)
end
return 1
