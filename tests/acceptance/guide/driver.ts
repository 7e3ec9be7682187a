// Calls the guide's function as a worker does: for a query and its outcome, then prints what was answered.

import { logAnalyticsEvent, type Env } from './log_analytics_event.ts';

const waiting: Promise<unknown>[] = [];
const env: Env = {
  ANALYTICS_WORKER_URL: process.env.ANALYTICS_WORKER_URL ?? '',
  waitUntil: (promise) => waiting.push(promise),
};
const [, , queryId, storeId] = process.argv;

await logAnalyticsEvent(
  'voice_query',
  {
    query_id: queryId,
    store_id: storeId,
    session_id: 'session-1',
    query_text: 'wo finde ich Müsli? 🥣'.slice(0, -1), // half of the emoji is left, as strings are cut in JavaScript
    transcription_confidence: 0.97,
    intent: undefined,
    fast_path: false,
  },
  env,
);
await logAnalyticsEvent(
  'voice_outcome',
  {
    query_id: queryId,
    answer_text: 'In Gang 3.',
    model_name: 'gemini-2.5-flash-lite',
    latency_ms: 812.4375,
    tokens_used: 321,
    action_taken: 'PRODUCT_LOOKUP',
    action_success: true,
    error_flag: false,
    error_message: null,
    tools_used: ['search_products'],
  },
  env,
);
const answers = (await Promise.all(waiting)) as Response[];
console.log(JSON.stringify(await Promise.all(answers.map(async (one) => [one.status, await one.json()]))));
