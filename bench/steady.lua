-- A steady stream of voice queries with their outcomes for `wrk -t1`, of now: RATE events a second, BATCH a request.
local ffi = require("ffi")
ffi.cdef [[
  typedef struct { long seconds; long nanoseconds; } aura_moment;
  int clock_gettime(int clock, aura_moment *moment);
]]
local read = ffi.new("aura_moment")
local function milliseconds(clock)
  ffi.C.clock_gettime(clock, read)
  return tonumber(read.seconds) * 1000 + tonumber(read.nanoseconds) / 1e6
end

local rate, batch = tonumber(os.getenv("RATE")), tonumber(os.getenv("BATCH") or "1")
math.randomseed(os.time())
local prefix = string.format("steady-%d-%d-", os.time(), math.random(1e9))
local made, moment, due = 0, nil, nil

local query = '{"event_type":"voice_query","timestamp":"%s","query_id":"%s%d","store_id":"store-%d","session_id":"%s%d",'
  .. '"query_text":"do you have red shoes %d","query_source":"voice","transcription_confidence":0.%02d,"intent":"product_search"}'
local outcome = '{"event_type":"voice_outcome","timestamp":"%s","query_id":"%s%d","answer_text":"Yes, in red and in blue.",'
  .. '"model_name":"gemini-2.5-flash-lite","latency_ms":%d,"tokens_prompt":210,"tokens_completion":40,"cost_usd":0.0002,'
  .. '"action_taken":"PRODUCT_LOOKUP","action_success":1,"error_flag":false,"tools_used":["search"]}'

local function event()
  made = made + 1
  local n = math.floor((made + 1) / 2)
  if made % 2 == 1 then
    local now = milliseconds(0)
    moment = os.date("!%Y-%m-%dT%H:%M:%S", math.floor(now / 1000)) .. string.format(".%03dZ", now % 1000)
    local store = math.min(200, math.floor((1 - math.random()) ^ (-1 / 0.8)))
    return query:format(moment, prefix, n, store, prefix, math.floor(n / 4), n % 5000, 50 + n % 50)
  end
  return outcome:format(moment, prefix, n, 500 + n % 4000)
end

function request()
  local events = {}
  for i = 1, batch do events[i] = event() end
  local body = batch == 1 and events[1] or "[" .. table.concat(events, ",") .. "]"
  return wrk.format("POST", "/ingest", {["Content-Type"] = "application/json"}, body)
end

-- How long the next request waits for its turn; what is more than a second late isn't made up for.
function delay()
  local now = milliseconds(1)
  due = math.max((due or now) + batch / rate * 1000, now - 1000)
  return math.max(0, due - now)
end

function done(summary, latency)
  io.write(string.format(
    '\nRESULT {"requests": %d, "seconds": %.6f, "failed": %d, "p50_ms": %.3f, "p99_ms": %.3f}\n',
    summary.requests, summary.duration / 1e6,
    summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
