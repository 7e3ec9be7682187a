// Sends batches, tries again, and keeps in the spool what can't be sent now.

import { type Flight, type Line, type Outbox, outboxOf, putBack, takeOff } from './outbox.ts';
import { type AnalyticsEnv, DEFAULTS, type Drop, type Options, type Shared } from './types.ts';
import { type Answer, type Batch, type Packed, pack, read, sign } from './wire.ts';

const RETRY_WITH_SPOOL_MS = 3_000;
const AWAY_MS = 5_000; // while the service is known to be away, batches go into the spool at once
const TIMER_MS = 10; // how much too early a timer may be by the clock
const DRAIN_MS = 10_000;
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 5_000;
const LONGEST_AWAY_MS = 3_600_000; // whatever Retry-After says, after this it is worth a try
const MOST_FLIGHTS = 3; // what was cut off so often may be what ends the requests

const encoder = new TextEncoder();

export class Sender {
  readonly options: Options;
  readonly box: Outbox;
  readonly reachable: boolean;
  readonly #env: AnalyticsEnv;
  readonly #url: string;

  constructor(env: AnalyticsEnv, options: Partial<Options>) {
    const patience = env.ANALYTICS_SPOOL ? { retryForMs: RETRY_WITH_SPOOL_MS } : {};
    this.options = { ...DEFAULTS, ...patience, ...said(options) };
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
    this.#takeBack();
    if (this.box.heldBytes + bytes > this.options.maxHeldBytes) {
      this.#drop('memory', 1, `${this.box.heldBytes} bytes wait already`);
      return false;
    }
    this.box.waiting.push({ text, bytes, at: Date.now(), flights: 0 });
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

  /** In how many milliseconds `sendAged` has something to do, if what waits is as old as an event tracked then. */
  dueIn(trackedAt: number): number {
    const oldest = this.box.waiting[0];
    return oldest && oldest.at <= trackedAt ? Math.max(1, oldest.at + this.options.maxAgeMs - Date.now()) : 0;
  }

  async sendWaiting(): Promise<void> {
    this.#takeBack();
    const flights: Flight[] = [];
    while (this.box.waiting.length > 0) flights.push(this.#takeOff());
    await Promise.all(flights.map((flight) => this.#send(flight)));
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
        if (text === null) continue; // somebody else was faster; or KV lists it here before it has it here
        const lines = text.split('\n');
        if (!(await this.#sendSpooled(name, lines))) return left;
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
    const batch = { id: name.slice(this.options.spoolPrefix.length), lines, signedAt: 0 };
    const answer = await this.#deliver(batch, Date.now() + this.options.retryForMs);
    return this.#settled(batch, answer);
  }

  #takeOff(): Flight {
    const { maxBatchEvents, maxBatchBytes, retryForMs, attemptMs } = this.options;
    const until = Date.now() + retryForMs + attemptMs; // by then its request has brought it to an end, or was ended
    const flight = { ...takeOff(this.box, maxBatchEvents, maxBatchBytes), until };
    for (const line of flight.lines) line.flights += 1;
    this.box.flights.add(flight);
    return flight;
  }

  /** Lets what was on its way with requests that were ended wait again. What had arrived is known there by its ids. */
  #takeBack(): void {
    for (const flight of this.box.flights) {
      if (Date.now() <= flight.until || !this.#land(flight)) continue;
      const again = flight.lines.filter((line) => line.flights < MOST_FLIGHTS);
      for (const { bytes } of again) this.box.heldBytes += bytes;
      putBack(this.box, again);
      const lost = flight.lines.length - again.length;
      if (lost > 0) this.#drop('undelivered', lost, 'the requests that sent them were ended');
    }
  }

  /** Tells whether a flight was still to come to its end; it has now. */
  #land(flight: Flight): boolean {
    if (!this.box.flights.delete(flight)) return false;
    this.box.heldBytes -= flight.bytes;
    return true;
  }

  async #send(flight: Flight): Promise<void> {
    const { box } = this;
    const batch = batchOf(flight.lines);
    try {
      const known = this.#env.ANALYTICS_SPOOL !== undefined && Date.now() < box.awayUntil;
      const answer: Answer = known
        ? { kind: 'away', detail: 'it was away a moment ago', afterMs: 0 }
        : await this.#deliver(batch, Date.now() + this.options.retryForMs);
      if (!box.flights.has(flight)) return; // it took so long that others have it
      if (this.#settled(batch, answer)) {
        box.awayUntil = 0;
      } else {
        if (!known) box.awayUntil = Date.now() + awayFor(answer);
        await this.#keep(batch, answer);
      }
    } catch (error) {
      if (box.flights.has(flight)) this.#drop('undelivered', batch.lines.length, String(error));
    } finally {
      this.#land(flight);
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
      const answer = await this.#deliver({ id: crypto.randomUUID(), lines, signedAt: 0 }, deadline);
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

function batchOf(lines: Line[]): Batch {
  return { id: crypto.randomUUID(), lines: lines.map((line) => line.text), signedAt: 0 };
}

/** The options that say something: nothing, or no number where one belongs, is the default. */
function said(options: Partial<Options>): Partial<Options> {
  return Object.fromEntries(
    Object.entries(options ?? {}).filter(([, value]) => value !== undefined && value !== null && !Number.isNaN(value)),
  );
}

/** For how long batches go into the spool at once, in milliseconds. */
function awayFor(answer: Answer): number {
  return Math.min(LONGEST_AWAY_MS, Math.max(AWAY_MS, 'afterMs' in answer ? answer.afterMs : 0));
}

/** Doubles with each try; the second half is chance, so that many workers don't come back at once. */
function backOff(attempt: number): number {
  return Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** attempt) * (0.5 + Math.random() / 2);
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
