// Sends what a voice assistant was asked, and what became of it, to Aura Analytics. Copy this file and
// the folder analytics beside it; they need nothing else.
//
// Nothing here throws into its caller or lets it wait: `track…` writes the event down and returns; sending happens in
// `ctx.waitUntil`. Every event carries its id and its moment before the first try, so that a further try never doubles.

import { Sender, sleep } from './analytics/sender.ts';
import type {
  Analytics,
  AnalyticsEnv,
  Lifetime,
  Options,
  Shared,
  Totals,
  VoiceConversion,
  VoiceOutcome,
  VoiceQuery,
} from './analytics/types.ts';

const LATE_MS = 1_000; // how late a timer may be

export type * from './analytics/types.ts';

/** Makes what a request tracks with. Cheap: make one for each request. */
export function createAnalytics(env: AnalyticsEnv, ctx: Lifetime, options: Partial<Options> = {}): Analytics {
  return new Tracker(env, ctx, options);
}

/** Sends what lies in the spool; for a cron's `scheduled`. Gives how many events have left it. Never rejects. */
export async function flushSpool(env: AnalyticsEnv, options: Partial<Options> = {}): Promise<number> {
  return new Sender(env, { drainEntries: 500, ...options }).drain(Date.now() + 60_000);
}

class Tracker implements Analytics {
  readonly #sender: Sender;
  readonly #ctx: Lifetime;
  #timedUntil = 0; // a moment, since a timer that was ended with its request tells nobody
  #trackedAt = 0; // its last event

  constructor(env: AnalyticsEnv, ctx: Lifetime, options: Partial<Options>) {
    this.#sender = new Sender(env, options);
    this.#ctx = ctx;
  }

  trackQuery(query: VoiceQuery): string {
    const id = given(() => query.query_id) || crypto.randomUUID();
    this.#track('voice_query', query, { query_id: id });
    return id;
  }

  trackOutcome(outcome: VoiceOutcome): void {
    this.#track('voice_outcome', outcome, {});
  }

  trackConversion(conversion: VoiceConversion): void {
    // An order says by itself which conversion it is; without one, only an id tells two of them from the same one again.
    const named = given(() => conversion.order_id || conversion.conversion_id);
    const own = named ? {} : { conversion_id: crypto.randomUUID() };
    this.#track('voice_conversion', conversion, own);
  }

  async flush(): Promise<void> {
    await this.#sender.sendWaiting();
  }

  totals(): Totals {
    return { ...this.#sender.box.totals };
  }

  #track(type: string, fields: Shared, own: Partial<Shared>): void {
    if (!this.#sender.reachable) return;
    try {
      if (this.#sender.take(type, fields, own)) this.#trackedAt = Date.now();
      // Where there was no room, what takes it up has to go, also if the requests that it is of were ended.
      if (this.#sender.box.waiting.length === 0) return;
      if (this.#sender.isFull()) {
        this.#ctx.waitUntil(this.#sender.sendWaiting());
      } else if (Date.now() > this.#timedUntil) {
        // A timer for each request, since a request's end ends its timers. The first takes along what others have, so that
        // the others find nothing to do.
        this.#ctx.waitUntil(this.#watch());
      }
    } catch (error) {
      // The context is over: the event waits for the next request.
      console.warn(`analytics: ${String(error)}`);
    }
  }

  /** Sends what grows old, until nothing is left that this request has tracked: events have no timers but these. */
  async #watch(): Promise<void> {
    const sent: Promise<void>[] = [];
    let ms = this.#sender.options.maxAgeMs;
    do {
      this.#timedUntil = Date.now() + ms + LATE_MS;
      await sleep(ms);
      sent.push(this.#sender.sendAged());
      ms = this.#sender.dueIn(this.#trackedAt);
    } while (ms > 0);
    this.#timedUntil = 0;
    await Promise.all(sent);
  }
}

/** What a caller's object has there; nothing, if it doesn't let itself be asked. */
function given<T>(ask: () => T): T | undefined {
  try {
    return ask();
  } catch {
    return undefined;
  }
}
