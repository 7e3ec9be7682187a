#!/usr/bin/env bash
# Asks one endpoint of the analytics service, and shows its answer with the lines of the log that belong to it.
#
#     ./test-analytics-with-logs.sh [endpoint] [correlation-id]
#
# endpoint: ingest (sends an event), health, stats/summary (the default) or any other path, with or without parameters.
# correlation-id: what the request is called; by default analytics-test-<seconds since 1970>.
# Environment: BASE_URL, by default ANALYTICS_WORKER_URL or http://127.0.0.1:8787; AURA_API_KEY, a key of the scope admin
# where the service has keys. Ends with 0 where the answer was a success, 1 where it wasn't, 2 where nobody answers.
set -uo pipefail

endpoint="${1:-stats/summary}"
endpoint="${endpoint#/}"
id="${2:-analytics-test-$(date +%s)}"
base="${BASE_URL:-${ANALYTICS_WORKER_URL:-http://127.0.0.1:8787}}"
base="${base%/}"

if [[ ! "$id" =~ ^[A-Za-z0-9._:-]{1,120}$ ]]; then
  echo "a correlation id takes letters, digits and . _ : - (at most 120)" >&2
  exit 2
fi

# Shown in a file of curl's own options, so that no key stands in the list of processes.
options() {
  if [[ -n "${AURA_API_KEY:-}" ]]; then printf 'header = "X-API-Key: %s"\n' "${AURA_API_KEY//[\"\\$'\n\r']/}"; fi
}
# Takes away what acts on a terminal: control characters, also those that take two bytes of UTF-8.
harmless() { LC_ALL=C tr -d '\000-\010\013-\037\177' | LC_ALL=C sed $'s/\xc2[\x80-\x9f]//g'; }
ask() { curl --silent --show-error --globoff --max-time 30 --config <(options) "$@"; }

url="$base/$endpoint"
request=(--header "X-Correlation-ID: $id")
case "$endpoint" in
  ingest)
    request+=(--request POST --header 'Content-Type: application/json' --data
      "{\"event_type\": \"voice_query\", \"timestamp\": \"$(date -u +%Y-%m-%dT%H:%M:%SZ)\", \"query_id\": \"test-$id\",
        \"store_id\": \"test-store\", \"session_id\": \"test-session\", \"user_id\": \"test-user\",
        \"query_text\": \"test query\", \"query_source\": \"test\"}") ;;
  stats/*\?*) ;;
  stats/*) url="$url?period=24h" ;;
esac

printf 'Endpoint        %s\nURL             %s\nCorrelation ID  %s\n\n' "$endpoint" "$url" "$id"
if ! answer="$(ask --write-out '\n%{http_code}' "${request[@]}" -- "$url")"; then
  echo "no server answers at $base: start one with aura-analytics serve, or name it in BASE_URL" >&2
  exit 2
fi
status="${answer##*$'\n'}"
printf 'Status          %s\n\n%s\n\n' "$status" "${answer%$'\n'*}" | harmless

printf '\nLog\n'
told="$(ask --get --data follow=false --data-urlencode "correlation_id=$id" --write-out '\n%{http_code}' -- "$base/logs/tail")"
case "${told##*$'\n'}" in
  200)
    lines="$(grep '^data: ' <<<"$told" | cut -c 7-)"
    harmless <<<"${lines:-no line has this id: LOG_LEVEL may be above info}" ;;
  401 | 403) echo "the log needs a key of the scope admin, for all stores, in AURA_API_KEY" ;;
  *) echo "the log can't be read here (HTTP ${told##*$'\n'})" ;;
esac

[[ "$status" == 2* ]]
