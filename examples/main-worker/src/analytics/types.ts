// What goes in and out: bindings, events, options.

/** What the worker is bound to. One of `ANALYTICS` and `ANALYTICS_WORKER_URL` has to be there, or nothing is sent. */
export interface AnalyticsEnv {
  ANALYTICS?: Fetcher; // a service binding goes before the address
  ANALYTICS_WORKER_URL?: string;
  ANALYTICS_API_KEY?: string;
  ANALYTICS_SIGNING_SECRET?: string; // whsec_…, of a key made with --signed
  ANALYTICS_SPOOL?: KVNamespace; // keeps what can't be sent within a request's life
}

/** A request's context, or what else can keep work alive. */
export interface Lifetime {
  waitUntil(promise: Promise<unknown>): void;
}

/** Fields that aren't named are the caller's own; they are kept with the record, up to 8 KiB an event. */
export interface Shared {
  timestamp?: string | number; // ISO 8601 or epoch milliseconds; the present, if it is left out
  correlation_id?: string | null | undefined;
  [own: string]: unknown;
}

export interface VoiceQuery extends Shared {
  query_id?: string; // made up, if it is left out
  store_id: string;
  query_text: string;
  session_id?: string | null | undefined;
  user_id?: string | null | undefined;
  query_source?: 'voice' | 'text' | 'test' | null | undefined;
  transcription_confidence?: number | null | undefined; // 0…1
  audio_duration_ms?: number | null | undefined;
  intent?: string | null | undefined;
  fast_path?: boolean | null | undefined;
}

export interface VoiceOutcome extends Shared {
  query_id: string;
  answer_text?: string | null | undefined;
  model_name?: string | null | undefined;
  latency_ms?: number | null | undefined;
  tokens_prompt?: number | null | undefined;
  tokens_completion?: number | null | undefined;
  tokens_used?: number | null | undefined;
  cost_usd?: number | null | undefined;
  action_taken?: string | boolean | null | undefined;
  action_success?: boolean | 0 | 1 | null | undefined;
  error_flag?: boolean | 0 | 1 | null | undefined;
  error_message?: string | null | undefined;
  tools_used?: string[] | null | undefined;
}

/** Something was bought. One of `query_id` and `session_id` has to be there; the same order twice is one conversion. */
export interface VoiceConversion extends Shared {
  conversion_id?: string;
  query_id?: string | null | undefined;
  session_id?: string | null | undefined;
  store_id?: string | null | undefined;
  order_id?: string | null | undefined;
  value?: number | null | undefined;
  currency?: string | null | undefined; // EUR
}

/**
 * Why events are given up.
 * invalid: can't be written as JSON, or larger than `maxEventBytes`. memory: over `maxHeldBytes`.
 * rejected: the service says that they are wrong. refused: it doesn't take anything of ours (a wrong key, a wrong
 * address), and there is no spool. undelivered: it is away, and there is no spool, or the spool failed.
 */
export interface Drop {
  reason: 'invalid' | 'memory' | 'rejected' | 'refused' | 'undelivered';
  events: number;
  detail: string;
}

export interface Options {
  maxBatchEvents: number; // a batch is sent when it has so many events,
  maxBatchBytes: number; // or so many bytes,
  maxAgeMs: number; // or when its oldest event is so old
  maxEventBytes: number;
  maxHeldBytes: number; // all events that this isolate holds, waiting and on their way; beyond it they are given up
  gzipFromBytes: number;
  attemptMs: number; // one try's patience
  retryForMs: number; // tries go on for so long; a worker lives 30 s after its answer. 3 s where there is a spool
  spoolPrefix: string; // of the keys in KV
  spoolTtlS: number; // after which KV forgets
  drainEntries: number; // batches of the spool that a request sends along at most
  onDrop: (drop: Drop) => void;
}

export interface Totals {
  tracked: number;
  delivered: number; // the service has them on disk
  spooled: number; // went into KV; they count as delivered or dropped when they leave it
  dropped: number;
}

export interface Analytics {
  /** Gives the query's id, which the outcome names. */
  trackQuery(query: VoiceQuery): string;
  trackOutcome(outcome: VoiceOutcome): void;
  trackConversion(conversion: VoiceConversion): void;
  /** Sends all that waits now; never rejects. */
  flush(): Promise<void>;
  /** Of this isolate, since it was started. */
  totals(): Totals;
}

export const DEFAULTS: Options = {
  maxBatchEvents: 100,
  maxBatchBytes: 256 << 10,
  maxAgeMs: 1_000,
  maxEventBytes: 1 << 20,
  maxHeldBytes: 8 << 20,
  gzipFromBytes: 4 << 10,
  attemptMs: 10_000,
  retryForMs: 15_000,
  spoolPrefix: 'aura-analytics/',
  spoolTtlS: 7 * 86_400,
  drainEntries: 10,
  onDrop: (drop) => console.warn(`analytics: ${drop.events} given up, ${drop.reason}: ${drop.detail}`),
};
