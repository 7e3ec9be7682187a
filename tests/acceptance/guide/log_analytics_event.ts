// The function of the integration guide, section 2, word for word; only `Env` and the export are added.

export interface Env {
  ANALYTICS_WORKER_URL: string;
  waitUntil?: (promise: Promise<unknown>) => void;
}

// Add to your main worker's response pipeline
async function logAnalyticsEvent(
  eventType: 'voice_query' | 'voice_outcome', 
  data: any, 
  env: Env
) {
  // Non-blocking analytics call
  env.waitUntil?.(
    fetch(`${env.ANALYTICS_WORKER_URL}/ingest`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({
        event_type: eventType,
        timestamp: new Date().toISOString(),
        ...data
      })
    }).catch(err => console.warn('Analytics failed:', err))
  );
}

export { logAnalyticsEvent };
