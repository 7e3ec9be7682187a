// Sends batches, tries again, and keeps in the spool what can't be sent now.

import { type Outbox, outboxOf } from './outbox.ts';
import { type AnalyticsEnv, DEFAULTS, type Drop, type Options, type Shared } from './types.ts';
import { type Answer, type Batch, type Packed, pack, read, sign } from './wire.ts';

const RETRY_WITH_SPOOL_MS = 3_000;
const AWAY_MS = 5_000; // while the service is known to be away, batches go into the spool at once
const TIMER_MS = 10; // how much too early a timer may be by the clock
const DRAIN_MS = 10_000;
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 5_000;

const encoder = new TextEncoder();

export class Sender {
  readonly options: Options;
  readonly box: Outbox;
  readonly reachable: boolean;
  readonly #env: AnalyticsEnv;
  readonly #url: string;

  constructor(env: AnalyticsEnv, options: Partial<Options>) {
    const patience = env.ANALYTICS_SPOOL ? { retryForMs: RETRY_WITH_SPOOL_MS } : {};
    this.options = { ...DEFAULTS, ...patience, ...options };
    this.#env = env;
    const base = env.ANALYTICS ? 'https://analytics' : (env.ANALYTICS_WORKER_URL ?? '');
    this.reachable = base !== '';
    this.#url = `${base.replace(/\/+$/, '')}/ingest`;
    this.box = outboxOf(`${this.#url} ${env.ANALYTICS_API_KEY ?? ''}`);
  }

  /** Writes an event down; tells whether it was kept. */
  take(type: string, fields: Shared, own: Partial<Shared>): boolean {
    this.box.totals.tracked += 1;
    let text: string;
    try {
      const timestamp = fields.timestamp ?? new Date().toISOString();
      // Without `toJSON`, by which an object could make something else of itself.
      text = JSON.stringify({ ...fields, ...own, event_type: type, timestamp, toJSON: undefined });
    } catch (error) {
      this.#drop('invalid', 1, String(error));
      return false;
    }
    const bytes = encoder.encode(text).byteLength + 1;
    if (bytes > this.options.maxEventBytes) {
      this.#drop('invalid', 1, `an event of ${bytes} bytes`);
      return false;
    }
    if (this.box.heldBytes + bytes > this.options.maxHeldBytes) {
      this.#drop('memory', 1, `${this.box.heldBytes} bytes wait already`);
      return false;
    }
    this.box.waiting.push({ text, bytes, at: Date.now() });
    this.box.waitingBytes += bytes;
    this.box.heldBytes += bytes;
    return true;
  }

  isFull(): boolean {
    const { waiting, waitingBytes } = this.box;
    return waiting.length >= this.options.maxBatchEvents || waitingBytes >= this.options.maxBatchBytes;
  }

  /** Sends what waits, if the oldest of it has waited for long enough; what is younger has a timer of its own. */
  async sendAged(): Promise<void> {
    const oldest = this.box.waiting[0];
    if (oldest && Date.now() + TIMER_MS >= oldest.at + this.options.maxAgeMs) await this.sendWaiting();
  }

  async sendWaiting(): Promise<void> {
    const batches: Batch[] = [];
    while (this.box.waiting.length > 0) batches.push(this.#batch());
    await Promise.all(batches.map((batch) => this.#send(batch)));
  }

  /** Sends what lies in the spool, until a moment; gives how many events have left it. */
  async drain(until: number): Promise<number> {
    const spool = this.#env.ANALYTICS_SPOOL;
    if (!spool || !this.reachable || Date.now() < this.box.drainingUntil) return 0;
    this.box.drainingUntil = until; // so that one whose request was ended doesn't hold up the others for ever
    let left = 0;
    try {
      const listed = await spool.list({ prefix: this.options.spoolPrefix, limit: this.options.drainEntries });
      for (const { name } of listed.keys) {
        if (Date.now() > until) return left;
        const text = await spool.get(name);
        const lines = text?.split('\n') ?? []; // null: somebody else was faster
        if (lines.length > 0 && !(await this.#sendSpooled(name, lines))) return left;
        await spool.delete(name);
        left += lines.length;
      }
      this.box.spoolMayHold = !listed.list_complete;
    } catch (error) {
      console.warn(`analytics: the spool can't be read: ${String(error)}`);
    } finally {
      this.box.drainingUntil = 0;
    }
    return left;
  }

  async #sendSpooled(name: string, lines: string[]): Promise<boolean> {
    const batch = { id: name.slice(this.options.spoolPrefix.length), lines, bytes: 0, signedAt: 0 };
    const answer = await this.#deliver(batch, Date.now() + this.options.retryForMs);
    return this.#settled(batch, answer);
  }

  #batch(): Batch {
    const { waiting } = this.box;
    let count = 0;
    let bytes = 0;
    while (count < Math.min(waiting.length, this.options.maxBatchEvents)) {
      const next = waiting[count]?.bytes ?? 0;
      if (count > 0 && bytes + next > this.options.maxBatchBytes) break;
      bytes += next;
      count += 1;
    }
    this.box.waitingBytes -= bytes;
    const lines = waiting.splice(0, Math.max(1, count)).map((line) => line.text);
    return { id: crypto.randomUUID(), lines, bytes, signedAt: 0 };
  }

  async #send(batch: Batch): Promise<void> {
    const { box } = this;
    try {
      const known = this.#env.ANALYTICS_SPOOL !== undefined && Date.now() < box.awayUntil;
      const answer: Answer = known
        ? { kind: 'away', detail: 'it was away a moment ago', afterMs: 0 }
        : await this.#deliver(batch, Date.now() + this.options.retryForMs);
      if (this.#settled(batch, answer)) {
        box.awayUntil = 0;
      } else {
        if (!known) box.awayUntil = Date.now() + Math.max(AWAY_MS, 'afterMs' in answer ? answer.afterMs : 0);
        await this.#keep(batch, answer);
      }
    } catch (error) {
      this.#drop('undelivered', batch.lines.length, String(error));
    } finally {
      box.heldBytes -= batch.bytes;
    }
    if (box.spoolMayHold && box.awayUntil === 0) await this.drain(Date.now() + DRAIN_MS);
  }

  /** Tells whether nothing is left to be done for a batch, and counts what became of it. */
  #settled(batch: Batch, answer: Answer): boolean {
    const { totals } = this.box;
    if (answer.kind === 'taken') {
      totals.delivered += batch.lines.length - answer.rejected.length;
      if (answer.rejected.length > 0) this.#drop('rejected', answer.rejected.length, answer.rejected[0] ?? '');
    } else if (answer.kind === 'wrong') {
      this.#drop('rejected', answer.events, answer.detail);
    }
    return answer.kind === 'taken' || answer.kind === 'wrong';
  }

  async #keep(batch: Batch, answer: Answer): Promise<void> {
    const detail = 'detail' in answer ? answer.detail : answer.kind;
    const spool = this.#env.ANALYTICS_SPOOL;
    if (!spool) {
      this.#drop(answer.kind === 'refused' ? 'refused' : 'undelivered', batch.lines.length, detail);
      return;
    }
    const key = `${this.options.spoolPrefix}${String(Date.now()).padStart(15, '0')}-${batch.id}`;
    await spool.put(key, batch.lines.join('\n'), { expirationTtl: this.options.spoolTtlS });
    this.box.spoolMayHold = true;
    this.box.totals.spooled += batch.lines.length;
  }

  /** Tries until it is answered for good, or until the deadline. What is too large is sent in halves. */
  async #deliver(batch: Batch, deadline: number): Promise<Answer> {
    const packed = await pack(batch.lines, this.options.gzipFromBytes);
    for (let attempt = 0; ; attempt += 1) {
      const patience = Math.max(1, Math.min(this.options.attemptMs, deadline - Date.now()));
      const answer = await this.#post(batch, packed, patience);
      if (answer.kind === 'too large') return this.#deliverHalves(batch, deadline);
      if (answer.kind !== 'away') return answer;
      const pause = Math.max(answer.afterMs, backOff(attempt));
      if (Date.now() + pause >= deadline) return answer;
      await sleep(pause);
    }
  }

  async #deliverHalves(batch: Batch, deadline: number): Promise<Answer> {
    if (batch.lines.length === 1) return { kind: 'wrong', events: 1, detail: 'an event is too large' };
    const half = batch.lines.length >> 1;
    const rejected: string[] = [];
    for (const lines of [batch.lines.slice(0, half), batch.lines.slice(half)]) {
      const answer = await this.#deliver({ id: crypto.randomUUID(), lines, bytes: 0, signedAt: 0 }, deadline);
      if (answer.kind === 'taken') rejected.push(...answer.rejected);
      else if (answer.kind === 'wrong') rejected.push(...Array<string>(answer.events).fill(answer.detail));
      else return answer; // the whole goes again later: what was taken of it is known there by its ids
    }
    return { kind: 'taken', rejected };
  }

  async #post(batch: Batch, packed: Packed, patienceMs: number): Promise<Answer> {
    const headers: Record<string, string> = { 'Content-Type': 'application/x-ndjson' };
    if (packed.gzipped) headers['Content-Encoding'] = 'gzip';
    if (this.#env.ANALYTICS_API_KEY) headers['X-API-Key'] = this.#env.ANALYTICS_API_KEY;
    const secret = this.#env.ANALYTICS_SIGNING_SECRET;
    try {
      if (secret) Object.assign(headers, await sign(secret, batch, packed.body));
      const response = await (this.#env.ANALYTICS?.fetch.bind(this.#env.ANALYTICS) ?? fetch)(this.#url, {
        method: 'POST',
        headers,
        body: packed.body,
        redirect: 'manual', // a key isn't shown to whom somebody else points at
        signal: AbortSignal.timeout(patienceMs),
      });
      return await read(response, batch.lines.length);
    } catch (error) {
      return { kind: 'away', detail: String(error), afterMs: 0 };
    }
  }

  #drop(reason: Drop['reason'], events: number, detail: string): void {
    this.box.totals.dropped += events;
    try {
      this.options.onDrop({ reason, events, detail });
    } catch (error) {
      console.warn(`analytics: onDrop failed: ${String(error)}`);
    }
  }
}

/** Doubles with each try; the second half is chance, so that many workers don't come back at once. */
function backOff(attempt: number): number {
  return Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** attempt) * (0.5 + Math.random() / 2);
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
