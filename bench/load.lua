-- Voice queries and their outcomes for `wrk`: one event a request, or BATCH of them; with QUERIES, queries alone. With
-- KEY each shows that key; with SECRET, in base64, each is signed as well.
local batch = tonumber(os.getenv("BATCH") or "1")
local step = os.getenv("QUERIES") and 2 or 1
local made = 0
local prefix = string.format("bench-%d-%d-", os.time(), math.random(1e9))

local query = '{"event_type":"voice_query","timestamp":"2026-01-02T%02d:%02d:%02d.%03dZ","query_id":"%s%d",'
  .. '"store_id":"store-%d","session_id":"%08x","query_text":"do you have red shoes in size %d",'
  .. '"query_source":"voice","transcription_confidence":0.%02d,"intent":"product_search"}'
local outcome = '{"event_type":"voice_outcome","timestamp":"2026-01-02T%02d:%02d:%02d.%03dZ","query_id":"%s%d",'
  .. '"answer_text":"Yes, in red and in blue.","model_name":"gemini-2.5-flash-lite","latency_ms":%d,'
  .. '"tokens_prompt":210,"tokens_completion":40,"cost_usd":0.0002,"action_taken":"PRODUCT_LOOKUP",'
  .. '"action_success":1,"error_flag":false,"tools_used":["search"]}'

if step == 2 then query = query:gsub("2026%-01%-02", os.date("!%Y-%m-%d")) end -- of today: none waits long enough to be due

local function event()
  made = made + step
  local n = math.floor((made + 1) / 2)
  local hour, minute, second, ms = math.floor(n / 360000) % 24, math.floor(n / 6000) % 60, math.floor(n / 100) % 60, n % 100 * 10
  if step == 2 or made % 2 == 1 then
    local session = math.floor(n / 4) * 2654435761 % 4294967296 -- four turns each, spread like random ids
    return query:format(hour, minute, second, ms, prefix, n, n % 200, session, n % 50, 50 + n % 50)
  end
  return outcome:format(hour, minute, second, ms, prefix, n, 500 + n % 4000)
end

local headers = {["Content-Type"] = "application/json", ["X-API-Key"] = os.getenv("KEY")}
local sign = function(body) end
if os.getenv("SECRET") then sign = require("signing")(os.getenv("SECRET"), prefix, headers) end

function request()
  local body
  if batch == 1 then
    body = event()
  else
    local events = {}
    for i = 1, batch do events[i] = event() end
    body = "[" .. table.concat(events, ",") .. "]"
  end
  sign(body)
  return wrk.format("POST", "/ingest", headers, body)
end

function done(summary, latency)
  io.write(string.format(
    '\nRESULT {"requests": %d, "seconds": %.6f, "failed": %d, "p50_ms": %.3f, "p99_ms": %.3f, "max_ms": %.3f}\n',
    summary.requests, summary.duration / 1e6,
    summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, latency.max / 1000))
end
