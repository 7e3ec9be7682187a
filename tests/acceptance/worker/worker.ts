// A worker that tracks what it is told, and tells what became of it.

import {
  type AnalyticsEnv,
  createAnalytics,
  type Drop,
  flushSpool,
  type Options,
  type VoiceConversion,
  type VoiceOutcome,
  type VoiceQuery,
} from '../../../examples/main-worker/src/analytics.ts';

interface Told {
  options?: Partial<Options>;
  events?: (VoiceQuery | VoiceOutcome | VoiceConversion)[];
  big?: boolean; // an event that JSON can't hold
  flush?: boolean;
}

const drops: Drop[] = [];

export default {
  async fetch(request, env, ctx): Promise<Response> {
    const { options, events = [], big = false, flush = false } = await request.json<Told>();
    const given = { ...options, onDrop: (drop: Drop) => drops.push(drop) };
    if (new URL(request.url).pathname === '/spool') return Response.json({ left: await flushSpool(env, given) });
    const analytics = createAnalytics(env, ctx, given);
    const ids: string[] = [];
    for (const event of events) {
      if ('query_text' in event) ids.push(analytics.trackQuery(event as VoiceQuery));
      else if ('answer_text' in event) analytics.trackOutcome(event as VoiceOutcome);
      else analytics.trackConversion(event as VoiceConversion);
    }
    if (big) analytics.trackOutcome({ query_id: 'q', own: 1n });
    if (flush) await analytics.flush();
    return Response.json({ ids, drops, totals: analytics.totals() });
  },

  async scheduled(_controller, env): Promise<void> {
    await flushSpool(env);
  },
} satisfies ExportedHandler<AnalyticsEnv>;
