// A main worker as small as it can be: a stand-in for the assistant, and where analytics goes in.

import { type AnalyticsEnv, createAnalytics, flushSpool } from './analytics.ts';

interface Question {
  store_id: string;
  session_id?: string;
  query_id?: string;
  text: string;
}

export default {
  async fetch(request, env, ctx): Promise<Response> {
    if (request.method !== 'POST') return new Response('POST a question', { status: 405, headers: { Allow: 'POST' } });
    const analytics = createAnalytics(env, ctx);
    const started = Date.now();
    const { store_id, session_id, query_id, text } = await request.json<Question>();

    const id = analytics.trackQuery({
      ...(query_id ? { query_id } : {}),
      store_id,
      session_id,
      query_text: text,
      query_source: 'text',
    });
    const answer = `You asked: ${text}`; // the assistant's work
    analytics.trackOutcome({
      query_id: id,
      answer_text: answer,
      latency_ms: Date.now() - started,
      action_taken: 'FAQ',
      action_success: true,
    });

    return Response.json({ query_id: id, answer });
  },

  async scheduled(_controller, env): Promise<void> {
    await flushSpool(env);
  },
} satisfies ExportedHandler<AnalyticsEnv>;
