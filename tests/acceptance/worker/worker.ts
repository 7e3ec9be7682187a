// A worker that tracks what it is told, and tells what became of it.

import {
  type Analytics,
  type AnalyticsEnv,
  createAnalytics,
  type Drop,
  flushSpool,
  type Options,
  type VoiceConversion,
  type VoiceOutcome,
  type VoiceQuery,
} from '../../../examples/main-worker/src/analytics.ts';

type Event = VoiceQuery | VoiceOutcome | VoiceConversion;

interface Told {
  options?: Partial<Options>; // null stands for NaN, which JSON can't hold
  events?: Event[];
  big?: boolean; // an event that JSON can't hold
  flush?: boolean | 'nobody waits'; // then the runtime ends it with the request
  later?: Event[]; // after the flush, and so many milliseconds
  laterMs?: number;
  late?: boolean; // KV lists what it doesn't give yet, as over there for a minute
}

const drops: Drop[] = [];

/** KV of a place where what was put elsewhere isn't to be had yet. */
function behind(kv: KVNamespace): KVNamespace {
  const get = async (): Promise<null> => null;
  const rest = { list: kv.list.bind(kv), put: kv.put.bind(kv), delete: kv.delete.bind(kv) };
  return { ...rest, get } as unknown as KVNamespace;
}

function track(analytics: Analytics, event: Event, ids: string[]): void {
  if ('query_text' in event) ids.push(analytics.trackQuery(event as VoiceQuery));
  else if ('answer_text' in event) analytics.trackOutcome(event as VoiceOutcome);
  else analytics.trackConversion(event as VoiceConversion);
}

export default {
  async fetch(request, env, ctx): Promise<Response> {
    const { options = {}, events = [], big = false, flush = false, ...more } = await request.json<Told>();
    const numbers = Object.entries(options).map(([name, value]) => [name, value ?? Number.NaN]);
    const given = { ...Object.fromEntries(numbers), onDrop: (drop: Drop) => drops.push(drop) };
    if (new URL(request.url).pathname === '/spool') {
      const spool = more.late && env.ANALYTICS_SPOOL ? { ANALYTICS_SPOOL: behind(env.ANALYTICS_SPOOL) } : {};
      return Response.json({ left: await flushSpool({ ...env, ...spool }, given) });
    }
    const analytics = createAnalytics(env, ctx, given);
    const ids: string[] = [];
    for (const event of events) track(analytics, event, ids);
    if (big) analytics.trackOutcome({ query_id: 'q', own: 1n });
    if (flush === true) await analytics.flush();
    else if (flush) void analytics.flush();
    if (more.later) await new Promise((resolve) => setTimeout(resolve, more.laterMs));
    for (const event of more.later ?? []) track(analytics, event, ids);
    return Response.json({ ids, drops, totals: analytics.totals() });
  },

  async scheduled(_controller, env): Promise<void> {
    await flushSpool(env);
  },
} satisfies ExportedHandler<AnalyticsEnv>;
