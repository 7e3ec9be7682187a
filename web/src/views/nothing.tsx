import type { Problem, Summary } from "../api.ts";
import { base } from "../api.ts";
import { follow } from "../live.ts";
import type { Navigation } from "../navigation.ts";
import { Code } from "../parts/code.tsx";
import { Skeleton, Trouble } from "../parts/panel.tsx";
import { named } from "../period.ts";
import { useResource } from "../resource.ts";
import { FILTERS } from "../words.ts";

const CLEARED = Object.fromEntries(FILTERS.map(({ name }) => [name, null]));

/** What is shown where there is nothing to show: why, and what would help. */
export function Nothing({ at, isFiltered }: { at: Navigation; isFiltered: boolean }) {
  const all = useResource<Summary>("stats/summary?period=all");
  if (all.data === null) return all.problem ? <Trouble problem={all.problem} /> : <Skeleton rows={8} />;
  if (all.data.totalQueries === 0) return <Welcome />;
  return (
    <section class="nothing">
      <h2>No queries here</h2>
      <p>
        {named(at.search)} has none{isFiltered && " that fit the filters"}.
      </p>
      <p class="row">
        {isFiltered && (
          <button type="button" class="button" onClick={() => at.set(CLEARED)}>
            Clear the filters
          </button>
        )}
        <button type="button" class="button" onClick={() => at.set({ period: "all", from: null, to: null })}>
          Show all time
        </button>
      </p>
    </section>
  );
}

/** What is shown where an address asks for what there can't be: once, and with a way out. */
export function Mistaken({ problem, at }: { problem: Problem; at: Navigation }) {
  return (
    <section class="nothing">
      <h2>This address asks for something that there isn’t</h2>
      <p role="alert">{problem.message}</p>
      <p class="row">
        <button
          type="button"
          class="button"
          onClick={() => at.set(Object.fromEntries([...at.search.keys()].map((name) => [name, null])))}
        >
          Show the last 7 days
        </button>
      </p>
    </section>
  );
}

function Welcome() {
  const url = (location.origin + base()).replace(/\/$/, "");
  const snippet = `// In the assistant's worker, after each answer
async function logAnalyticsEvent(
  eventType: 'voice_query' | 'voice_outcome',
  data: any,
  env: Env
) {
  // Non-blocking analytics call
  env.waitUntil?.(
    fetch(\`\${env.ANALYTICS_WORKER_URL}/ingest\`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({
        event_type: eventType,
        timestamp: new Date().toISOString(),
        ...data
      })
    }).catch(err => console.warn('Analytics failed:', err))
  );
}`;
  const curl = `curl -X POST ${url}/ingest -H 'Content-Type: application/json' -d '[
  {"event_type": "voice_query", "query_id": "q-1", "store_id": "my-shop",
   "query_text": "do you have red shoes", "transcription_confidence": 0.93},
  {"event_type": "voice_outcome", "query_id": "q-1", "action_success": 1,
   "answer_text": "Yes, in four sizes.", "latency_ms": 1240}
]'`;
  return (
    <section class="nothing">
      <h2>Nothing has come in yet</h2>
      <p>
        The service is ready. Tell the assistant where it is, and this page fills by itself, a second after the first
        query.
      </p>
      <h3>1. Set its address</h3>
      <Code text={`ANALYTICS_WORKER_URL=${url}`} />
      <h3>2. Send an event for each query and each outcome</h3>
      <Code text={snippet} />
      <h3>Or try it from a terminal</h3>
      <Code text={curl} />
      <p class="row">
        <a class="button" href="docs">
          All endpoints
        </a>
        <button type="button" class="button" onClick={() => follow(true)}>
          Look again
        </button>
      </p>
    </section>
  );
}
